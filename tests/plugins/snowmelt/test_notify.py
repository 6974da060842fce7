"""A run has failed: each notifier of `fleet.yaml` tells of it, and none can fail anything else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
import yaml
from airflow.sdk import DAG, BaseNotifier

import snowmelt.notify
from snowmelt.errors import Unreachable
from snowmelt.tell import tell_failure
from tests.plugins.snowmelt.world import FakeRun, FakeWorld

RUN = ("rollout_shop", "manual__1")
PAGE = "https://airflow/rollout_shop/manual__1"


class Pager(BaseNotifier):
    """Remembers what it was to say; says nothing of "fail", and never ends with "hang"."""

    template_fields = ("text", "extra")
    said: ClassVar[list[str]] = []

    def __init__(self, text: str, extra: dict[str, str] | None = None) -> None:
        super().__init__()
        self.text, self.extra = text, extra

    def notify(self, context: Any) -> None:
        if self.text == "fail":
            raise OSError("no mail server\nat all")
        if self.text == "hang":
            Event().wait(60)
        self.said.append(self.text)


PAGER = f"{Pager.__module__}.Pager"


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that writes `fleet.yaml` with notifiers that say these texts."""
    monkeypatch.setenv("SNOWMELT_CATALOGUE", str(tmp_path / "services"))
    Pager.said.clear()

    def write(*texts: str, **other: Any) -> Path:
        named: list[Any] = [{"notifier": PAGER, "arguments": {"text": text}} for text in texts]
        file = tmp_path / "fleet.yaml"
        file.write_text(yaml.safe_dump({"notify": named, **other}))
        return file

    return write


@pytest.fixture
def failed(world: FakeWorld) -> FakeRun:
    """Put a rollout into Airflow of which one VM failed."""
    world.runs[RUN] = FakeRun(
        conf={},
        state="failed",
        tasks={"plan": "success", "vm.watch_1": "failed", "verify": "upstream_failed"},
        pushed={("vm.watch", 1, "why"): "12 of 310 requests with errors"},
    )
    return world.runs[RUN]


def ended(dag_id: str = RUN[0], **more: Any) -> Any:
    """Return what the dag-processor gives to a callback, at the least."""
    return {"dag": DAG(dag_id, schedule=None), "run_id": RUN[1], "reason": "task_failure", **more}


def test_each_notifier_is_called_once_with_the_whole_message(failed: FakeRun, fleet: Any) -> None:
    fleet("{{ failure.title }}", "{{ failure }}")
    tell_failure(ended())

    title = "rollout_shop has failed: vm.watch[1]"
    run = "Run manual__1 of service shop"
    why = "vm.watch[1]: 12 of 310 requests with errors"
    assert Pager.said == [title, "\n".join((title, run, why, PAGE))]


def test_parts_of_a_failure_can_be_told_in_ones_own_words(failed: FakeRun, fleet: Any) -> None:
    fleet("{{ failure.service }}: {{ failure.steps[0].why }}. {{ failure.page }}")
    tell_failure(ended())

    assert Pager.said == [f"shop: 12 of 310 requests with errors. {PAGE}"]


def test_one_that_fails_is_told_in_one_line_and_stops_no_other(
    failed: FakeRun, fleet: Any, caplog: pytest.LogCaptureFixture
) -> None:
    file = fleet("fail", "{{ failure.run_id }}")
    tell_failure(ended())

    assert Pager.said == ["manual__1"]
    ours = [record.message for record in caplog.records if record.name == "snowmelt.notify"]
    assert ours[1:] == [f"{file}: notify.0: no mail server | at all"]


def test_one_that_hangs_takes_nothing_from_the_others(
    failed: FakeRun,
    fleet: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """HttpNotifier has no time-out, and the dag-processor ends all of them after 50 s."""
    monkeypatch.setattr(snowmelt.notify, "LIMIT", 0.05)
    fleet("hang", "next")
    tell_failure(ended())

    assert Pager.said == ["next"]
    assert "notify.0: no answer" in caplog.text


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ({"notifier": "json.NoSuchThing"}, "json.NoSuchThing: module 'json' has no attribute"),
        ({"notifier": "no.such.Thing"}, "No module named 'no': is its provider installed"),
        ({"notifier": PAGER, "arguments": {"txt": ""}}, "unexpected keyword argument 'txt': mend"),
    ],
)
def test_an_entry_that_cannot_work_names_file_field_and_fix(
    failed: FakeRun, fleet: Any, caplog: pytest.LogCaptureFixture, entry: Any, told: str
) -> None:
    after = {"notifier": PAGER, "arguments": {"text": "next"}}
    file = fleet(notify=[entry, after])
    tell_failure(ended())

    assert Pager.said == ["next"]
    assert f"{file}: notify.0: " in caplog.text
    assert told in caplog.text


def test_a_mistake_in_the_file_is_one_line_and_the_failure_another(
    failed: FakeRun, fleet: Any, caplog: pytest.LogCaptureFixture
) -> None:
    fleet(notify=[{"notifier": "SmtpNotifier"}])
    tell_failure(ended())

    title, mistake = [record.message for record in caplog.records]
    assert title == "rollout_shop has failed: vm.watch[1]"
    assert "fleet.yaml: notify.0.notifier: write module and class, such as" in mistake


@pytest.mark.parametrize("error", [Unreachable("a time-out"), KeyError("of a newer Airflow")])
def test_people_are_told_also_where_airflow_does_not_say_which_steps(
    world: FakeWorld, failed: FakeRun, fleet: Any, error: Exception
) -> None:
    world.fail("states", error)
    fleet("{{ failure }}")
    tell_failure(ended(reason="timed_out"))

    (told,) = Pager.said
    assert told.startswith("rollout_shop has failed: it took longer than it may\nRun manual__1")


def test_a_front_door_is_silent_where_it_only_repeats_its_rollout(
    world: FakeWorld, fleet: Any
) -> None:
    """And tells what only it knows: that nothing could be started."""
    door = FakeRun(conf={}, tasks={"follow_rollout": "failed"})
    world.runs["deploy_release", "manual__1"] = door
    fleet("{{ failure.service }}: {{ failure.title }}")
    asked = ended("deploy_release", params={"service": "shop"})
    tell_failure(asked)
    door.pushed["follow_rollout", -1, "told_by"] = "rollout_shop r"
    tell_failure(asked)

    assert Pager.said == ["shop: deploy_release has failed: follow_rollout"]


AT = datetime(2026, 5, 2, 12, 5, tzinfo=UTC)


def scheduled(before: Any, kind: str = "scheduled") -> Any:
    """Return the context of a run that Airflow started by its schedule, after the run *before*."""
    return ended(
        "audit_fleet",
        dag_run=SimpleNamespace(run_type=kind, run_after=AT),
        ti=SimpleNamespace(get_previous_dagrun=lambda: before),
    )


def earlier(state: str = "failed", after: timedelta = timedelta(minutes=5)) -> Any:
    return SimpleNamespace(run_id="before", state=state, run_after=AT - after)


@pytest.mark.parametrize(
    ("before", "why", "told"),
    [
        (earlier(), "the CA is away", 0),
        (earlier(), "the balancer is away", 1),
        (earlier("success"), "the CA is away", 1),
        (earlier(after=timedelta(days=1)), "the CA is away", 1),
        (None, "the CA is away", 1),
    ],
    ids=["again", "something else", "after one that was well", "on the day after", "the first"],
)
def test_what_fails_again_and_again_is_told_once_a_day(
    world: FakeWorld, fleet: Any, before: Any, why: str, told: int
) -> None:
    for run, reason in (("before", why), (RUN[1], "the CA is away")):
        pushed = {("look", -1, "why"): reason}
        world.runs["audit_fleet", run] = FakeRun(conf={}, tasks={"look": "failed"}, pushed=pushed)
    fleet("{{ failure.title }}")
    tell_failure(scheduled(before))

    assert len(Pager.said) == told


def test_what_somebody_started_is_told_each_time(world: FakeWorld, fleet: Any) -> None:
    for run in ("before", RUN[1]):
        world.runs["audit_fleet", run] = FakeRun(conf={}, tasks={"look": "failed"})
    fleet("{{ failure.title }}")
    tell_failure(scheduled(earlier(), "manual"))

    assert len(Pager.said) == 1


def test_without_an_address_of_airflow_there_is_no_link(
    failed: FakeRun, fleet: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = SimpleNamespace(address=lambda *_: "/dags/rollout_shop/runs/manual__1")
    monkeypatch.setattr(snowmelt.notify, "DagRunsHook", lambda: nowhere)
    fleet("{{ failure.page }}|")
    tell_failure(ended())

    assert Pager.said == ["|"]
