"""The lab itself: closed to the outside, closed to strangers inside, and VMs that leave nothing."""

from __future__ import annotations

import errno
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import dns.message
import dns.query
import dns.rcode
import dns.update
import pytest

from lab.image.build import image_path
from lab.inside import enter
from lab.services.certificates import CLIENT, PUPPETDB
from lab.settings import CHECKOUT, NETNS, Places, places
from lab.vm import Machines, MachineSpec

pytestmark = pytest.mark.lab
SETTLED = {"running", "degraded"}  # of `systemctl is-system-running`
NAME, IP, MAC = "test-machine", "198.18.0.240", "02:00:c6:12:00:f0"


@pytest.fixture(scope="module")
def lab() -> Places:
    """The lab, brought up unless it runs."""
    subprocess.run([sys.executable, "-m", "lab", "up"], cwd=CHECKOUT, check=True)
    return places()


@pytest.fixture
def inside(lab: Places) -> Iterator[Callable[..., Any]]:
    """`inside(f)` calls f within the lab's network."""
    with ThreadPoolExecutor(max_workers=1, initializer=enter) as pool:
        yield lambda action: pool.submit(action).result(60)


@pytest.fixture
def machines(lab: Places) -> Iterator[Machines]:
    """The hypervisor; the machine of the test is destroyed in any case."""
    found = Machines(lab.vms)
    found.destroy(NAME)
    yield found
    found.destroy(NAME)


def spec(lab: Places, **context: str) -> MachineSpec:
    return MachineSpec(image_path(lab.images), IP, MAC, context)


def test_nothing_is_routed_out(inside: Callable[..., Any]) -> None:
    """An address that is not the lab's cannot even be tried."""

    def leave() -> int:
        with socket.socket() as line:
            return line.connect_ex(("192.0.2.1", 80))

    assert inside(leave) == errno.ENETUNREACH


def test_a_second_lab_up_does_nothing_and_takes_no_time(lab: Places) -> None:
    """Every line says so; 10 s leave room for a busy machine."""
    began = time.monotonic()
    command = [sys.executable, "-m", "lab", "up"]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=True)

    assert time.monotonic() - began < 10
    for service in (
        "puppetserver",
        "puppetdb",
        "postgres",
        "knot",
        "haproxy",
        "icinga",
        "repo",
        "firewall",
    ):
        assert f"{service:<16} already running" in done.stdout


def test_secrets_are_their_owners_alone(lab: Places) -> None:
    """Nothing under secrets/ may be read by another account; the Connections neither."""
    files = [path for path in lab.secrets.rglob("*") if path.is_file()]

    assert files
    assert [p for p in [*files, lab.state / "connections.json"] if p.stat().st_mode & 0o077] == []


@pytest.mark.parametrize("holder", [None, PUPPETDB], ids=["no certificate", "a stranger's"])
def test_the_balancers_runtime_api_knows_its_client(
    lab: Places, inside: Callable[..., Any], holder: str | None
) -> None:
    """Only the product's certificate gets an answer, not just any of the same authority."""
    ssl_dir = lab.of("puppet") / "ssl"
    pair = None
    if holder:
        pair = (ssl_dir / "certs" / f"{holder}.pem", ssl_dir / "private_keys" / f"{holder}.pem")
    own = (lab.secrets / f"{CLIENT}.pem", lab.secrets / f"{CLIENT}.key")

    assert inside(lambda: _ask_balancer(lab, own)).startswith("Name: HAProxy")
    assert inside(lambda: _ask_balancer(lab, pair)) == ""


def _ask_balancer(lab: Places, pair: tuple[Path, Path] | None) -> str:
    context = ssl.create_default_context(cafile=str(lab.secrets / "puppet-ca.pem"))
    if pair:
        context.load_cert_chain(*pair)
    raw = socket.create_connection(("198.18.0.80", 9443), timeout=5)
    try:
        with context.wrap_socket(raw, server_hostname="lb.lab.test") as line:
            line.sendall(b"show info\n")
            return b"".join(iter(lambda: line.recv(65536), b"")).decode()
    except OSError:
        return ""
    finally:
        raw.close()


def test_an_unsigned_dns_update_is_refused(inside: Callable[..., Any]) -> None:
    """Only who has the key may publish a name."""
    update = dns.update.Update("lab.test")
    update.add("evil", 30, "A", "198.18.0.66")

    def ask() -> dns.message.Message:
        return dns.query.tcp(update, "198.18.0.1", timeout=5)

    assert inside(ask).rcode() in {dns.rcode.NOTAUTH, dns.rcode.REFUSED}


def test_the_archive_is_signed_by_the_labs_key(lab: Places, tmp_path: Path) -> None:
    """And by no other: the key is part of the control repository that machines get."""
    repo = lab.of("repo")
    keyring = tmp_path / "archive.gpg"
    dearmor = ["gpg", "--batch", "--homedir", str(tmp_path), "--dearmor", "--output", str(keyring)]
    subprocess.run([*dearmor, str(repo / "archive.asc")], check=True, capture_output=True)
    check = ["gpgv", "--keyring", str(keyring), str(repo / "InRelease")]

    assert subprocess.run(check, capture_output=True, check=False).returncode == 0


def test_a_machine_is_a_small_debian_with_systemd(lab: Places, machines: Machines) -> None:
    """Its context was applied, and all its units are fine."""
    machines.create(
        NAME, spec(lab, SET_HOSTNAME="t.lab.test", START_SCRIPT="echo $X > /x", X="a b")
    )
    deadline = time.monotonic() + 20
    command = ["systemctl", "is-system-running"]
    while (state := machines.run(NAME, command).stdout.strip()) not in SETTLED:
        assert time.monotonic() < deadline, machines.console(NAME)
        time.sleep(0.1)

    assert state == "running"
    assert machines.run(NAME, ["hostname"]).stdout == "t.lab.test\n"
    assert machines.run(NAME, ["cat", "/x"]).stdout == "a b\n"


def test_a_machine_cannot_touch_the_hosts_kernel(lab: Places, machines: Machines) -> None:
    """No kernel settings; and no right to load modules, set the clock or make devices."""
    machines.create(NAME, spec(lab))

    write = machines.run(NAME, ["sh", "-c", "echo 1 > /proc/sys/kernel/panic"])
    assert "Read-only file system" in write.stderr
    status = machines.run(NAME, ["cat", "/proc/1/status"]).stdout
    bounding = int(status.split("CapBnd:")[1].split()[0], 16)
    sys_module, sys_time, mknod = 16, 25, 27
    assert [bit for bit in (sys_module, sys_time, mknod) if bounding >> bit & 1] == []


def test_a_machine_outlives_who_made_it(lab: Places, machines: Machines) -> None:
    """The front-end may be restarted: what it finds afterwards is the same running machine."""
    script = (
        "from pathlib import Path; from lab.vm import *; "
        f"Machines(Path({str(lab.vms)!r})).create({NAME!r}, "
        f"MachineSpec(Path({str(image_path(lab.images))!r}), {IP!r}, {MAC!r}))"
    )
    subprocess.run([sys.executable, "-c", script], cwd=CHECKOUT, check=True)

    assert machines.is_running(NAME)
    machines.stop(NAME)
    assert not machines.is_running(NAME)
    assert machines.exists(NAME)
    machines.start(NAME)
    assert machines.is_running(NAME)


def test_a_machine_powers_off_when_asked(lab: Places, machines: Machines) -> None:
    """Its system manager does it; the disk stays."""
    machines.create(NAME, spec(lab))
    time.sleep(1)
    machines.shutdown(NAME)
    deadline = time.monotonic() + 15
    while machines.is_running(NAME):
        assert time.monotonic() < deadline
        time.sleep(0.1)

    assert machines.exists(NAME)


def test_a_destroyed_machine_leaves_nothing(lab: Places, machines: Machines) -> None:
    """No process, no cable, no control group, no file; twice is once."""
    machines.create(NAME, spec(lab))
    machines.destroy(NAME)
    machines.destroy(NAME)

    links = subprocess.run(["ip", "-n", NETNS, "link"], capture_output=True, text=True, check=True)
    assert MAC.replace(":", "")[4:] not in links.stdout
    assert not any(Path("/sys/fs/cgroup").rglob(f"snowmelt-{NETNS}-{NAME}"))
    assert not (lab.vms / NAME).exists()
