"""What a lab may end and remove: only what it has made."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab import net, ours
from lab.settings import NETNS, Places
from lab.up import half_gone


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """No network of the lab's name, whatever runs on this machine."""
    monkeypatch.setattr(net, "foreign", lambda _: "")


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


def test_a_folder_that_a_lab_has_made_is_its_own_and_goes_whole(state: Path) -> None:
    ours.claim(state)
    (state / "vms" / "one-7").mkdir(parents=True)
    (state / "connections.json").write_text("{}")
    (state / "socket").symlink_to("/var")

    ours.claim(state)  # the second lab-up
    ours.check(state)
    ours.forget(state)

    assert not state.exists()
    assert Path("/var").is_dir()


def test_what_an_interrupted_lab_down_leaves_is_not_taken_for_a_lab(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its marks may say that something was made which has gone."""
    places = Places(state=state, cache=state)
    assert not half_gone(places)
    ours.claim(state)
    assert not half_gone(places)  # interrupted at the first step of lab-up: there is nothing yet
    (state / "done").mkdir()
    (state / "code").touch()
    assert not half_gone(places)

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("shutil.rmtree", interrupted)
    with pytest.raises(KeyboardInterrupt):
        ours.forget(state)

    assert half_gone(places)


def test_a_folder_with_something_else_in_it_is_left_alone(state: Path) -> None:
    state.mkdir()
    (state / "thesis.tex").write_text("the work of years")

    for act in (ours.claim, ours.check):
        with pytest.raises(ours.NotOursError, match="left alone"):
            act(state)
    ours.forget(state)

    assert [file.name for file in state.iterdir()] == ["thesis.tex"]


def test_an_empty_folder_may_be_used_but_one_that_is_not_there_needs_no_check(state: Path) -> None:
    ours.check(state)
    state.mkdir()

    ours.claim(state)

    assert (state / ours.MARK).read_text() == f"{NETNS}\n"


def test_folder_and_network_go_together(state: Path) -> None:
    """Only one of the two variables was set."""
    ours.claim(state)
    (state / ours.MARK).write_text(f"{NETNS}2\n")

    with pytest.raises(ours.NotOursError, match=f"the network {NETNS}2"):
        ours.check(state)


def test_a_mark_that_was_being_written_is_a_mark(state: Path) -> None:
    """The plug was pulled at the first step of the first lab-up."""
    state.mkdir()
    (state / ours.MARK).touch()

    ours.claim(state)

    assert (state / ours.MARK).read_text() == f"{NETNS}\n"


def test_a_network_of_somebody_else_is_refused(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(net, "foreign", lambda _: "it is theirs")

    with pytest.raises(ours.NotOursError, match="it is theirs"):
        ours.claim(state)

    assert not state.exists()
