"""One VM for one person: asked for, kept longer, taken back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest
import yaml
from airflow.sdk import BaseNotifier
from lazy_object_proxy import Proxy  # type: ignore[import-untyped]

from include.catalogue import load_service, service_names
from include.catalogue.requests import load_policy
from include.last_good import Good
from snowmelt.errors import Refused, SnowmeltError
from snowmelt.hooks.requests import RequestsHook
from snowmelt.operators.request import ExtendRequest, RequestVm, RetireRequest, ReviewRequests
from tests.plugins.snowmelt.kit import OLD, Ti, context, run, service, serving
from tests.plugins.snowmelt.world import FakeHost, FakeWorld

NOW = datetime.now(UTC).replace(microsecond=0)
FORM = {
    "name": None,
    "owner": "Ada",
    "purpose": "try a parser",
    "size": "small",
    "offer": "base",
    "release": None,
    "lifetime": "2d",
}


@pytest.fixture(autouse=True)
def policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "requests.yaml"
    file.write_text(load_policy().model_dump_json())
    monkeypatch.setenv("SNOWMELT_CATALOGUE", str(tmp_path / "services"))
    monkeypatch.setenv("SNOWMELT_REQUESTS", str(tmp_path / "asked"))
    return file


def asked(dag: str = "request_vm", at: datetime = NOW, ti: Ti | None = None, **params: Any) -> Any:
    told = context(ti or Ti(dag_id=dag), **{**FORM, **params})
    told["dag_run"].run_after = at
    return told


def kept(name: str = "shop", end: datetime = NOW + timedelta(days=2)) -> None:
    """Let somebody have asked for a VM of that name, behind the balancer of `shop`."""
    RequestsHook().ensure(service(name=name, replicas=1, expires_at=end))


def request(**params: Any) -> Any:
    return run(lambda: RequestVm(task_id="t"), asked(**params))


def extend(**params: Any) -> Any:
    return run(lambda: ExtendRequest(task_id="t"), asked("extend_request", **params))


def retire(name: str = "shop") -> Any:
    make = lambda: RetireRequest(task_id="t", service=name)  # noqa: E731
    return run(make, asked("expire_requests"))


def review(since: datetime | None = None, end_now: str | None = None) -> list[str]:
    told: Any = asked("expire_requests", end_now=end_now)
    told["prev_start_date_success"] = Proxy(lambda: since)  # as Airflow gives it
    return ReviewRequests(task_id="t").execute(told)


def test_a_request_becomes_a_service_that_is_rolled_out(world: FakeWorld) -> None:
    world.new_runs_end_s = 60.0
    request(name="parser")

    entry = load_service("parser")
    assert (entry.owner, entry.replicas) == ("Ada", 1)
    assert entry.expires_at == NOW + timedelta(days=2)
    assert world.story == ["start rollout_parser"]
    ((_, started),) = world.runs.items()
    assert started.conf == {"reason": "Ada asked for it: try a parser"}


def test_it_waits_until_airflow_knows_the_new_dag(world: FakeWorld, deferrable: bool) -> None:
    world.new_runs_end_s, world.dags_after = 60.0, world.clock.now + 40
    run(lambda: RequestVm(task_id="t", deferrable=deferrable), asked(name="parser"))

    assert world.story == ["start rollout_parser"]


def test_a_dag_that_never_appears_is_told(world: FakeWorld) -> None:
    world.dags_after = world.clock.now + 3600
    began = datetime.fromtimestamp(world.clock.now, UTC)

    with pytest.raises(SnowmeltError, match="does the dag-processor run"):
        request(name="parser", ti=Ti(dag_id="request_vm", start_date=began))


def test_a_retry_finds_its_own_entry(world: FakeWorld) -> None:
    """It was killed after it had written, and before it had started anything."""
    RequestVm(task_id="t").prepare(asked())
    (name,) = service_names()
    world.new_runs_end_s = 60.0

    request()

    assert service_names() == (name,)
    assert name.startswith("vm-")
    assert world.story == [f"start rollout_{name}"]


def test_a_name_that_is_taken_is_refused_and_starts_nothing(world: FakeWorld) -> None:
    kept("parser")

    with pytest.raises(Refused, match="parser is taken"):
        request(name="parser")
    assert not world.runs


def test_a_lifetime_beyond_the_limit_leaves_nothing_behind(world: FakeWorld) -> None:
    with pytest.raises(Refused, match="30 days at most"):
        request(lifetime="31d")

    assert not service_names()
    assert not world.runs


def test_what_is_kept_longer_gets_a_new_vm_with_the_new_end(world: FakeWorld) -> None:
    kept("shop", NOW + timedelta(hours=1))
    world.new_runs_end_s = 60.0
    for _ in range(2):
        extend(service="shop", lifetime="3d")

    assert load_service("shop").expires_at == NOW + timedelta(days=3)
    assert world.story == ["start rollout_shop"]


def test_only_what_was_asked_for_can_be_kept_longer(world: FakeWorld) -> None:
    with pytest.raises(Refused, match="nobody asked for wiki"):
        extend(service="wiki", lifetime="3d")


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


class Told(BaseNotifier):
    """Remembers what it was to say."""

    template_fields = ("text",)
    said: ClassVar[list[str]] = []

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text

    def notify(self, context: Any) -> None:
        self.said.append(self.text)


def test_the_owner_is_reminded_once(world: FakeWorld, policy: Path) -> None:
    reminder = {
        "notifier": f"{Told.__module__}.Told",
        "arguments": {"text": "{{ request.owner }}: {{ request.name }}"},
    }
    rules = yaml.safe_load(policy.read_text()) | {"reminders": [reminder]}
    policy.write_text(yaml.safe_dump(rules))
    kept("soon", NOW + timedelta(hours=20))
    Told.said.clear()

    review()
    review(NOW)

    assert Told.said == ["web team: soon"]


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
