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
