"""Where the VM image comes from."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.image import build


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_the_image_comes_from_the_machines_own_mirror(tmp_path: Path) -> None:
    """Under whatever name its sources stand, and never from a third party's."""
    write(tmp_path / "sources.list.d/a.list", "deb https://tools.example tool-bookworm main\n")
    own = write(tmp_path / "sources.list.d/b.list", "deb http://mirror.example bookworm main\n")

    assert build.sources(tmp_path) == own


def test_a_machine_without_sources_of_the_suite_is_told_so(tmp_path: Path) -> None:
    """In a sentence, before anything is built."""
    write(tmp_path / "sources.list", "deb http://mirror.example trixie main\n")

    with pytest.raises(build.ImageError, match="no package sources of Debian bookworm"):
        build.sources(tmp_path)


def test_the_recipe_names_the_image(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another package makes another image; the same recipe finds the one in the cache."""
    before = build.recipe_hash()
    assert build.recipe_hash() == before

    monkeypatch.setattr(build, "PACKAGES", "systemd,tomcat10")
    assert build.recipe_hash() != before


def images(folder: Path) -> tuple[Path, Path]:
    """Return an image of an older recipe, and that of the present one."""
    old, new = folder / "debian-12-0123456789ab", build.image_path(folder)
    for each in (old, new):
        (each / "etc").mkdir(parents=True)
    return old, new


def process(proc: Path, number: int, *words: str) -> None:
    """Let there be a process with this command line."""
    (proc / str(number)).mkdir(parents=True)
    (proc / str(number) / "cmdline").write_bytes(b"\0".join(w.encode() for w in (*words, "")))


def test_the_image_of_an_older_recipe_goes_when_no_lab_runs(tmp_path: Path) -> None:
    old, new = images(tmp_path / "images")
    process(tmp_path / "proc", 1, "/sbin/init")
    (tmp_path / "proc" / "2").mkdir()  # it has just ended

    build.forget_old(tmp_path / "images", tmp_path / "proc")

    assert not old.exists()
    assert new.exists()


@pytest.mark.parametrize(
    "words",
    [
        ("/srv/b/.venv/bin/python", "-m", "lab.opennebula", "--state", "/var/lib/b/opennebula"),
        ("/bin/bash", "/srv/b/lab/vm/launch", "one-7", "/var/lib/b/vms/one-7", "/i", "lab2"),
    ],
    ids=["its front-end", "one of its VMs"],
)
def test_another_lab_that_runs_keeps_its_image(tmp_path: Path, words: tuple[str, ...]) -> None:
    """It was brought up from an older checkout, and its VMs are overlays of that image."""
    old, new = images(tmp_path / "images")
    process(tmp_path / "proc", 7, *words)

    build.forget_old(tmp_path / "images", tmp_path / "proc")

    assert old.exists()
    assert new.exists()
