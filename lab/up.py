"""lab-up: bring every part to where it is ready, in parallel where order allows."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

from lab import bootstrap, code, connections, net, ours, stragglers
from lab.image import build
from lab.inside import enter
from lab.release.archive import publish
from lab.services import (
    firewall,
    haproxy,
    icinga,
    knot,
    opennebula,
    postgres,
    puppetdb,
    puppetserver,
    repo,
)
from lab.services.base import Service
from lab.settings import CHECKOUT, Places, account_lacks
from lab.steps import Progress, Step, StepFailedError, run
from lab.supervisor import Supervisor, supervisor_of

_DEAD = {"FATAL", "EXITED", "UNKNOWN"}


def services(places: Places) -> list[Service]:
    """Every supervised part, in no particular order."""
    found = [
        postgres.service(places),
        knot.service(places),
        repo.service(places),
        puppetserver.service(places),
        puppetdb.service(places),
        icinga.service(places),
        haproxy.service(places),
        haproxy.members(places),
        firewall.service(places),
    ]
    return [*found, opennebula.service(places)] if opennebula.available() else found


def up(places: Places) -> None:
    """Bring the lab up; what runs already is left alone.

    Raises:
        StepFailedError: a part did not come up; the text names it, the reason and its log.
    """
    if lacks := account_lacks():
        raise StepFailedError(lacks)
    progress = Progress()
    ours.claim(places.state)
    _tell_code(places, progress)
    folders(places)
    net.up(places.state)
    parts = services(places)
    warden = supervisor_of(places)
    if not warden.answers():
        stragglers.end()  # of a supervisor that died: they would hold the ports of the new ones
    warden.begin([part.program for part in parts])
    image = _outside(lambda: build.build(places.images))
    steps = [step(part, warden, places) for part in parts]
    run([*steps, *_once_only(places, image)], progress, enter)
    progress.say(f"the lab is up; state in {places.state}")


def outdated(places: Places) -> bool:
    """Whether the lab in these places, running or not, was brought up with other code than this."""
    file = _code(places)
    return file.exists() and file.read_text() != code.lab()


def half_gone(places: Places) -> bool:
    """Whether a lab-down was interrupted when it removed the lab's folder."""
    there = {each.name for each in places.state.iterdir()} if places.state.is_dir() else set()
    return ours.MARK in there and len(there) > 1 and _code(places).name not in there


def _tell_code(places: Places, progress: Progress) -> None:
    """Write down with which code the lab comes up, or say that it came up with another."""
    if not _code(places).exists():
        _code(places).write_text(code.lab())
    elif outdated(places):
        progress.say(
            f"this lab came up with other code ({_code(places).read_text()}): its services, Puppet"
            f" code and releases stay that; for those of {CHECKOUT} run `make lab-down` first"
        )


def _code(places: Places) -> Path:
    return places.state / "code"


def folders(places: Places) -> None:
    """Make the lab's own folders, each for those who may look into it."""
    places.state.mkdir(parents=True, exist_ok=True)
    places.state.chmod(0o755)  # services of the account `lab` reach their own folders in it
    places.secrets.mkdir(exist_ok=True, mode=0o711)
    places.vms.mkdir(exist_ok=True, mode=0o700)


def _once_only(places: Places, image: Callable[[], Path]) -> list[Step]:
    """What is done once per lab and leaves files, not processes."""
    plain = [
        Step("releases", once(places, "releases", lambda: publish(places))),
        Step(
            "certificates",
            once(places, "certificates", lambda: puppetserver.certificates(places)),
        ),
        Step("image", lambda: f"{image().name}"),
        Step(
            "connections",
            lambda: connections.save(places),
            ("icinga", "knot", "certificates", "postgres", "firewall"),
        ),
    ]
    if not opennebula.available():
        return plain
    fill = Step(
        "cloud",
        lambda: bootstrap.fill(places, build.image_path(places.images)),
        ("opennebula", "image"),
    )
    return [*plain, fill]


def once(places: Places, name: str, action: Callable[[], None]) -> Callable[[], str | None]:
    """The same action, skipped when an earlier lab-up finished it."""
    mark = places.state / "done" / name

    def perform() -> str | None:
        if mark.exists():
            return "already there"
        action()
        mark.parent.mkdir(exist_ok=True)
        mark.touch()
        return None

    return perform


def step(service: Service, warden: Supervisor, places: Places) -> Step:
    """Return the step that prepares a service, starts it and waits until it is of use."""
    prepare = once(places, service.name, service.prepare)

    def perform() -> str | None:
        if warden.states().get(service.name) == "RUNNING" and service.ready():
            return "already running"
        prepare()
        warden.start(service.name)
        _await(service, warden)
        return None

    return Step(service.name, perform, service.needs)


def _await(service: Service, warden: Supervisor) -> None:
    deadline = time.monotonic() + service.patience_s
    log = warden.logs / f"{service.name}.log"
    while not service.ready():
        if warden.states().get(service.name) in _DEAD:
            raise RuntimeError(f"it ended by itself, see {log}: {_last_lines(log)}")
        if time.monotonic() > deadline:
            raise RuntimeError(f"not ready after {service.patience_s:.0f} s, see {log}")
        time.sleep(0.2)


def _last_lines(log: Path) -> str:
    return " / ".join(log.read_text(errors="replace").splitlines()[-3:]) if log.exists() else ""


def _outside(action: Callable[[], Path]) -> Callable[[], Path]:
    """Start the image at once, in the machine's own network; the lab's has no way to a mirror."""
    result: list[Path] = []
    errors: list[Exception] = []

    def work() -> None:
        try:
            result.append(action())
        except (build.ImageError, OSError) as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()

    def join() -> Path:
        thread.join()
        if errors:
            raise errors[0]
        return result[0]

    return join
