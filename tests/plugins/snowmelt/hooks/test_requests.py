"""The folder of what people asked for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from include.catalogue import Service, load_service, service_names
from include.catalogue.loader import try_all
from include.verdict import Outcome
from snowmelt.errors import Conflict, Missing, Refused
from snowmelt.hooks.requests import RequestsHook
from tests.plugins.snowmelt.kit import service

END = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    own = tmp_path / "services"
    own.mkdir()
    (own / "shop.yaml").write_text(yaml.safe_dump(service().model_dump(mode="json")))
    monkeypatch.setenv("SNOWMELT_CATALOGUE", str(own))
    monkeypatch.setenv("SNOWMELT_REQUESTS", str(tmp_path / "asked"))
    return tmp_path / "asked"


def entry(name: str = "vm-abc", **changes: Any) -> Service:
    return service(**{"name": name, "replicas": 1, "expires_at": END, **changes})


def test_what_was_asked_for_is_a_service_like_the_others() -> None:
    assert RequestsHook().ensure(entry()) == Outcome.CREATED

    assert service_names() == ("shop", "vm-abc")
    assert load_service("vm-abc") == entry()
    assert {file.stem for file in try_all()[0]} == {"shop", "vm-abc"}


def test_the_same_again_is_unchanged(folder: Path) -> None:
    RequestsHook().ensure(entry())

    assert RequestsHook().ensure(entry()) == Outcome.UNCHANGED
    assert [file.name for file in folder.iterdir()] == ["vm-abc.yaml"]


@pytest.mark.parametrize("name", ["vm-abc", "shop"])
def test_a_name_that_is_taken_is_never_overwritten(name: str) -> None:
    RequestsHook().ensure(entry())

    with pytest.raises(Conflict, match="choose another name"):
        RequestsHook().ensure(entry(name, owner="somebody else"))
    assert load_service(name).owner == "web team"


def test_of_two_who_ask_at_once_one_gets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second looked before the first had written."""
    RequestsHook().ensure(entry())
    monkeypatch.setattr(RequestsHook, "names", lambda _: ())
    monkeypatch.setattr("snowmelt.hooks.requests.service_names", lambda: ())

    with pytest.raises(Conflict, match="a moment ago"):
        RequestsHook().ensure(entry(owner="somebody else"))
    assert load_service("vm-abc").owner == "web team"


def test_a_new_end_takes_the_place_of_the_old_one(folder: Path) -> None:
    RequestsHook().ensure(entry())
    longer = entry(expires_at=END + timedelta(days=1))

    assert RequestsHook().change(longer) == Outcome.CREATED
    assert RequestsHook().change(longer) == Outcome.UNCHANGED
    assert RequestsHook().read("vm-abc") == longer
    assert [file.name for file in folder.iterdir()] == ["vm-abc.yaml"]


def test_what_is_kept_longer_can_go_back_until_it_is_settled(folder: Path) -> None:
    """Twice is once, and what held first is what comes back."""
    RequestsHook().ensure(entry())
    longer = [entry(expires_at=END + timedelta(days=n)) for n in (1, 2)]
    for each in longer:
        RequestsHook().extend(each)

    assert RequestsHook().take_back(longer[0]) == longer[1]
    assert RequestsHook().take_back(longer[1]) == entry()
    RequestsHook().extend(longer[0])
    RequestsHook().settle(longer[0])
    assert RequestsHook().take_back(longer[0]) == longer[0]
    assert [file.name for file in folder.iterdir()] == ["vm-abc.yaml"]


def changed_twice() -> list[Service]:
    """Let somebody keep it longer, and once more before that is settled; returns both entries."""
    RequestsHook().ensure(entry())
    both = [entry(expires_at=END + timedelta(days=n)) for n in (1, 2)]
    for each in both:
        RequestsHook().extend(each)
    return both


def test_what_was_changed_once_more_goes_back_to_what_was_settled_meanwhile() -> None:
    """Not to what held before both: its VM has gone, and that end may be over."""
    first, second = changed_twice()
    for _ in range(2):
        RequestsHook().settle(first)

    assert RequestsHook().read("vm-abc") == second
    assert RequestsHook().take_back(second) == first


def test_what_is_settled_late_leaves_the_longer_end_that_was_settled_first(folder: Path) -> None:
    """Who waits for the first is only taken up again when the second is through."""
    first, second = changed_twice()
    for each in (second, first):
        RequestsHook().settle(each)

    assert RequestsHook().read("vm-abc") == second
    assert [file.name for file in folder.iterdir()] == ["vm-abc.yaml"]


def test_what_an_owner_was_told_is_counted_for_each_end_and_goes_with_the_entry(
    folder: Path,
) -> None:
    later = entry(expires_at=END + timedelta(days=1))
    RequestsHook().ensure(entry())
    for told in (entry(), entry(), later):
        RequestsHook().note_told(told)

    assert [RequestsHook().told(each) for each in (entry(), later)] == [2, 1]
    assert RequestsHook().names() == ("vm-abc",)
    RequestsHook().extend(later)
    RequestsHook().remove("vm-abc")
    assert not list(folder.iterdir())


def test_removing_is_done_once_and_never_touches_the_catalogue() -> None:
    RequestsHook().ensure(entry())

    assert RequestsHook().remove("vm-abc") == Outcome.REMOVED
    assert RequestsHook().remove("vm-abc") == Outcome.UNCHANGED
    assert RequestsHook().remove("shop") == Outcome.UNCHANGED
    assert service_names() == ("shop",)


def test_what_nobody_asked_for_cannot_be_read() -> None:
    with pytest.raises(Missing, match="nobody asked for shop"):
        RequestsHook().read("shop")


def test_a_request_without_an_end_is_a_mistake(folder: Path) -> None:
    folder.mkdir()
    (folder / "mine.yaml").write_text(yaml.safe_dump(service(name="mine").model_dump(mode="json")))

    with pytest.raises(Refused, match="expires_at: is missing"):
        RequestsHook().read("mine")


def test_where_nobody_can_ask_it_says_how_that_is_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SNOWMELT_REQUESTS")

    assert RequestsHook().names() == ()
    with pytest.raises(Refused, match="SNOWMELT_REQUESTS"):
        RequestsHook().ensure(entry())
