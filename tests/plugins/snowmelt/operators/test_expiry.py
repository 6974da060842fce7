"""What was asked for comes to its end: its owner is told, and then it goes."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest
import yaml
from airflow.sdk import BaseNotifier
from airflow.sdk.exceptions import AirflowSkipException

from include.audit import Memory
from include.catalogue import service_names
from include.last_good import Good
from include.planner import rollout_id
from snowmelt.errors import Refused, SnowmeltError, Unreachable
from snowmelt.hooks.requests import RequestsHook
from snowmelt.operators.expiry import FindReminders, RemindOwner, RetireRequest, ReviewRequests
from tests.plugins.snowmelt.asking import NOW, asked, kept, policy
from tests.plugins.snowmelt.kit import OLD, Ti, killed_while_waiting, run, serving, spec
from tests.plugins.snowmelt.world import FakeCertificate, FakeHost, FakeRun, FakeWorld

__all__ = ["policy"]

pytestmark = pytest.mark.usefixtures("policy")


def retiring(name: str = "shop") -> Any:
    return lambda: RetireRequest(task_id="t", service=name)


def retire(name: str = "shop", *rollouts: str) -> Any:
    """Retire it, where Airflow still has these runs of its rollout."""
    ti = Ti(dag_id="expire_requests", runs={f"rollout_{name}": list(rollouts)})
    return run(retiring(name), asked("expire_requests", ti=ti))


def review(end_now: str | None = None, at: datetime | None = None) -> list[str]:
    """Do the review of a run that was started now, or *at* a moment."""
    told = asked("expire_requests", at or datetime.now(UTC), end_now=end_now)
    return ReviewRequests(task_id="t").execute(told)


def test_what_has_ended_is_found_and_a_broken_file_is_no_obstacle(
    world: FakeWorld, tmp_path: Path
) -> None:
    kept("ended", NOW - timedelta(seconds=1))
    kept("young")
    (tmp_path / "asked" / "broken.yaml").write_text("name: [")

    assert review() == ["ended"]


def test_what_is_needed_no_longer_ends_at_once(world: FakeWorld) -> None:
    kept("parser")
    kept("young")

    assert review(end_now="parser") == review() == ["parser"]


def test_a_retry_goes_on_with_what_it_has_ended_itself(world: FakeWorld) -> None:
    kept("parser")
    at = datetime.now(UTC)

    assert review(end_now="parser", at=at) == review(end_now="parser", at=at) == ["parser"]


def test_a_run_that_is_cleared_days_later_does_not_end_what_came_after_it(
    world: FakeWorld,
) -> None:
    """The one that was meant has gone, and somebody else has asked for that name."""
    kept("parser")

    assert review(end_now="parser", at=NOW - timedelta(days=3)) == []
    assert RequestsHook().read("parser").expires_at == NOW + timedelta(days=2)


def test_a_run_that_is_cleared_days_later_does_not_end_what_was_kept_longer(
    world: FakeWorld,
) -> None:
    ends_in(20, "parser", lives=200)
    longer = RequestsHook().read("parser").model_copy(update={"expires_at": NOW + timedelta(5)})
    RequestsHook().extend(longer)

    assert review(end_now="parser", at=NOW - timedelta(days=1)) == []
    assert RequestsHook().read("parser") == longer


class Told(BaseNotifier):
    """Remembers what it was to say, and says nothing of what it is told to fail at."""

    template_fields = ("text",)
    said: ClassVar[list[str]] = []
    fails: ClassVar[set[str]] = set()

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text

    def notify(self, context: Any) -> None:
        if self.text in self.fails:
            raise OSError("no mail server")
        self.said.append(self.text)


@pytest.fixture
def told(policy: Path) -> list[str]:
    """Let owners be told by two notifiers, and return what these said."""
    texts = "{{ request.owner }}: {{ request.name }}", "the team: {{ request.name }}"
    kind = f"{Told.__module__}.Told"
    reminders = [{"notifier": kind, "arguments": {"text": text}} for text in texts]
    rules = yaml.safe_load(policy.read_text()) | {"reminders": reminders}
    policy.write_text(yaml.safe_dump(rules))
    Told.said.clear()
    Told.fails.clear()
    return Told.said


def ends_in(hours: float, name: str = "soon", *, lives: float = 72.0) -> None:
    """Let something end in so many hours that was asked for for *lives* hours."""
    kept(name, NOW + timedelta(hours=hours))
    written = (NOW - timedelta(hours=lives - hours)).timestamp()
    os.utime(requests_file(name), (written, written))


def requests_file(name: str) -> Path:
    return Path(os.environ["SNOWMELT_REQUESTS"]) / f"{name}.yaml"


def due() -> list[str]:
    return FindReminders(task_id="t").execute(asked("expire_requests", end_now=None))


def remind() -> None:
    """Do what a run of `expire_requests` does about reminders."""
    for name in due():
        RemindOwner(task_id="t", service=name).execute(asked("expire_requests", end_now=None))


def test_the_owner_is_reminded_once_by_each_notifier(world: FakeWorld, told: list[str]) -> None:
    """By whatever run looks next, one that a person starts included."""
    ends_in(20)
    ends_in(30, "late")
    remind()
    remind()

    assert told == ["web team: soon", "the team: soon"]


def test_a_new_end_is_told_anew(world: FakeWorld, told: list[str]) -> None:
    ends_in(20)
    remind()
    entry = RequestsHook().read("soon")
    RequestsHook().change(entry.model_copy(update={"expires_at": NOW + timedelta(hours=22)}))
    written = (NOW - timedelta(hours=60)).timestamp()
    os.utime(requests_file("soon"), (written, written))
    remind()

    assert told.count("web team: soon") == 2


def test_what_lives_for_hours_is_told_at_its_half(world: FakeWorld, told: list[str]) -> None:
    ends_in(3, lives=4)
    assert due() == []
    RequestsHook().remove("soon")
    ends_in(1.5, lives=4)

    assert due() == ["soon"]


def test_a_notifier_that_fails_is_tried_again_and_the_other_not(
    world: FakeWorld, told: list[str]
) -> None:
    ends_in(20)
    Told.fails.add("the team: soon")
    for _ in range(2):
        with pytest.raises(OSError, match="no mail server"):
            remind()
    Told.fails.clear()
    remind()
    remind()

    assert told == ["web team: soon", "the team: soon"]


def test_a_notifier_that_is_not_there_is_named_with_the_way_to_mend_it(
    world: FakeWorld, policy: Path
) -> None:
    rules = yaml.safe_load(policy.read_text()) | {"reminders": [{"notifier": "no.such.Thing"}]}
    policy.write_text(yaml.safe_dump(rules))
    ends_in(20)

    with pytest.raises(Refused, match=r"no\.such\.Thing: .*: is its provider installed"):
        remind()


def test_what_nobody_is_told_of_stands_in_the_log_once(
    world: FakeWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    ends_in(20)
    remind()
    remind()

    assert capsys.readouterr().out.count("soon of web team ends at") == 1


def test_a_mistake_in_the_policy_keeps_nothing_alive(world: FakeWorld, policy: Path) -> None:
    policy.write_text("sizes: [")
    kept("ended", NOW - timedelta(seconds=1))

    assert review() == ["ended"]
    with pytest.raises(Refused, match=r"requests\.yaml"):
        due()


def test_what_has_ended_leaves_no_trace(world: FakeWorld) -> None:
    """OpenNebula ended the VM itself while nobody was here to retire it."""
    kept("shop", NOW - timedelta(hours=1))
    vm = serving(world, f"shop-{OLD}-0")
    vm.phase = "done"
    world.good["shop"] = [Good(release="1.0", at="", run="")]
    theirs = FakeHost(address="198.18.0.7", template="m", variables={}, checked=True)
    world.hosts["shop-by-hand.lab.test"] = theirs
    world.new_runs_end_s = 10.0
    retire()

    assert not any((world.names, world.nodes, world.pools["shop"], world.good, service_names()))
    assert {c.state for c in world.certificates.values()} <= {"revoked"}
    assert world.hosts == {"shop-by-hand.lab.test": theirs}


def gone(world: FakeWorld, name: str = f"shop-{OLD}-0") -> None:
    """Let the VM of something that has ended be terminated by OpenNebula itself."""
    kept("shop", NOW - timedelta(hours=1))
    serving(world, name).phase = "done"
    world.new_runs_end_s = 10.0


def test_what_people_gave_a_name_like_that_of_a_vm_stays(world: FakeWorld) -> None:
    """The word "testing" reads like a rollout; a VM of that name does not keep the entry either."""
    gone(world)
    name, fqdn = "shop-testing-0", "shop-testing-0.lab.test"
    world.names[fqdn] = ("198.18.0.81", 60)
    world.certificates[fqdn] = FakeCertificate(state="signed", key="k", signed_at=0, ttl_s=9)
    world.hosts[fqdn] = FakeHost(address="198.18.0.81", template="m", variables={}, checked=True)
    theirs = world.add_vm(replace(spec(name, "1.0"), service="", fqdn=""), phase="running")
    retire()

    assert [*world.names, *world.certificates, *world.hosts] == [fqdn] * 3
    assert theirs.phase == "running"
    assert service_names() == ()


@pytest.mark.parametrize("told_by", ["an audit", "Airflow"])
def test_whose_it_is_is_still_known_when_a_try_broke_off(world: FakeWorld, told_by: str) -> None:
    """The mark in monitoring goes, as all does that is not with the CA, which is away."""
    rollout = rollout_id("rollout_shop", "manual__7")
    gone(world, f"shop-{rollout}-0")
    if told_by == "an audit":
        world.audits.append(Memory(rollouts={f"shop-{rollout}": world.clock.now}))
    runs = ["manual__7"] if told_by == "Airflow" else []
    world.fail("remove_certificate", Unreachable("the CA is away"))
    with pytest.raises(Unreachable):
        retire("shop", *runs)
    assert not any((world.hosts, world.names, world.nodes))
    assert world.certificates
    retire("shop", *runs)

    assert not any((world.names, world.nodes, world.certificates))


@pytest.mark.parametrize("away", ["hosts", "remove_member", "nodes"])
def test_a_system_that_is_away_keeps_no_other_from_forgetting(world: FakeWorld, away: str) -> None:
    """Whose VM has been ended by OpenNebula is not in DNS for as long as a monitoring is away."""
    gone(world)
    world.audits.append(Memory(rollouts={f"shop-{OLD}": world.clock.now}))
    world.fail(away, Unreachable("away"))
    with pytest.raises(Unreachable, match="away"):
        retire()
    assert not any((world.names, world.certificates))
    assert service_names() == ("shop",)
    retire()

    assert service_names() == ()
    assert not any((world.names, world.certificates, world.hosts, world.nodes, world.pools["shop"]))


def test_what_is_still_there_keeps_its_entry(world: FakeWorld) -> None:
    kept("shop", NOW - timedelta(hours=1))
    serving(world, f"shop-{OLD}-0")
    world.new_runs_end_s = 10.0

    with pytest.raises(SnowmeltError, match=f"still there: shop-{OLD}-0"):
        retire()
    assert service_names() == ("shop",)


def test_what_was_kept_longer_meanwhile_stays(world: FakeWorld) -> None:
    kept("shop", NOW + timedelta(hours=1))
    serving(world, f"shop-{OLD}-0")
    world.new_runs_end_s = 10.0
    retire()

    assert service_names() == ("shop",)
    assert world.names


def is_kept_longer(world: FakeWorld) -> None:
    entry = RequestsHook().read("shop")
    RequestsHook().extend(entry.model_copy(update={"expires_at": NOW + timedelta(days=2)}))


def is_rolled_out(world: FakeWorld) -> None:
    world.runs["rollout_shop", "by hand"] = FakeRun(conf={}, state="queued")


@pytest.mark.parametrize("meanwhile", [is_kept_longer, is_rolled_out])
def test_what_comes_back_to_life_while_its_traces_are_cleared_keeps_its_entry(
    world: FakeWorld, monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[[FakeWorld], None]
) -> None:
    gone(world)
    world.good["shop"] = [Good(release="1.0", at="", run="")]
    monkeypatch.setattr("snowmelt.remains.forget", lambda *_: meanwhile(world))
    retire()

    assert service_names() == ("shop",)
    assert world.good["shop"]


def test_one_that_was_killed_when_all_was_done_is_done(world: FakeWorld) -> None:
    """The entry has gone, and with it what the retry would read."""
    kept("shop", NOW - timedelta(hours=1))
    killed_while_waiting(retiring(), asked("expire_requests"))
    RequestsHook().remove("shop")
    for child in world.runs.values():
        child.state = "success"

    retire()


def test_what_has_gone_starts_nothing(world: FakeWorld) -> None:
    with pytest.raises(AirflowSkipException, match="shop has gone"):
        retire()
    assert not world.runs


def test_what_is_being_rolled_out_holds_nobody_up(world: FakeWorld) -> None:
    """A rollout that hangs would queue one more behind it every five minutes."""
    kept("shop", NOW - timedelta(hours=1))
    world.runs["rollout_shop", "stuck"] = FakeRun(conf={})

    with pytest.raises(AirflowSkipException, match="is being rolled out"):
        retire()
    assert list(world.runs) == [("rollout_shop", "stuck")]


def test_one_that_hangs_is_left_to_a_later_run(world: FakeWorld) -> None:
    """What ends meanwhile has ten minutes until OpenNebula pulls the plug."""
    kept("shop", NOW - timedelta(hours=1))
    began = world.clock.now

    with pytest.raises(Refused, match="not within the deadline"):
        retire()
    assert world.clock.now - began <= 16 * 60
