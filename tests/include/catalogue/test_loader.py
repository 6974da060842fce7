"""A mistake in the catalogue names its file, its field and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from include.catalogue import CatalogueError, load_service, service_names
from include.catalogue.loader import DEFAULT_FOLDER, try_all

_GOOD = (DEFAULT_FOLDER / "shop.yaml").read_text(encoding="utf-8")


def _write(folder: Path, name: str, text: str) -> None:
    (folder / f"{name}.yaml").write_text(text, encoding="utf-8")


def _problems(folder: Path, text: str) -> list[str]:
    """Return the problems of one service, without the folder."""
    _write(folder, "shop", text)
    with pytest.raises(CatalogueError) as caught:
        load_service("shop", folder)
    return [str(problem).removeprefix(f"{folder}/") for problem in caught.value.problems]


def test_the_services_that_come_with_snowmelt_load() -> None:
    """All of them."""
    services, problems = try_all(DEFAULT_FOLDER)

    assert "shop" in {file.stem for file in services}
    assert problems == []


def test_one_service_is_read_from_its_own_file_only(tmp_path: Path) -> None:
    """A task must not fail for a mistake in the file of another service."""
    _write(tmp_path, "shop", _GOOD)
    _write(tmp_path, "broken", "name: [")

    assert load_service("shop", tmp_path).name == "shop"


def test_names_are_known_without_reading_a_file(tmp_path: Path) -> None:
    """The DAG file asks for them at every parse."""
    _write(tmp_path, "b", "not: [yaml")
    _write(tmp_path, "a", "")

    assert service_names(tmp_path) == ("a", "b")


def test_a_folder_of_ones_own_is_named_by_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody has to change this repository to add a service."""
    _write(tmp_path, "mine", _GOOD.replace("name: shop\n", "name: mine\n"))
    monkeypatch.setenv("SNOWMELT_CATALOGUE", str(tmp_path))

    assert service_names() == ("mine",)
    assert load_service("mine").name == "mine"


def test_a_misspelt_key_is_named_with_its_path(tmp_path: Path) -> None:
    """Closed: nothing is ignored in silence."""
    assert _problems(tmp_path, _GOOD.replace("  ttl: 60s", "  tll: 60s")) == [
        "shop.yaml: dns.tll: unknown key: is it misspelt or in the wrong place?"
    ]


def test_a_release_that_yaml_takes_for_a_number_is_named(tmp_path: Path) -> None:
    """1.10 would become 1.1."""
    assert _problems(tmp_path, _GOOD.replace('release: "1.0"', "release: 1.0")) == [
        'shop.yaml: release: is a number: put it in quotes, "1.0"'
    ]


def test_a_key_that_is_there_twice_is_named(tmp_path: Path) -> None:
    """YAML would take the last one."""
    line = _GOOD.count("\n") + 1

    assert _problems(tmp_path, _GOOD + "replicas: 3\n") == [
        f"shop.yaml: line {line}: replicas is there twice"
    ]


def test_text_that_is_no_yaml_is_named_with_its_line(tmp_path: Path) -> None:
    """The first thing that people get wrong."""
    (problem,) = _problems(tmp_path, "name: shop\nowner: [web\n")

    assert problem.startswith("shop.yaml: line 3: ")


def test_a_duration_without_a_unit_is_named_with_examples(tmp_path: Path) -> None:
    """10 what?"""
    assert _problems(tmp_path, _GOOD.replace("idle: 10s", "idle: 10")) == [
        'shop.yaml: drain.idle: write a number and a unit: "90s", "10m", "24h" or "7d"'
    ]


def test_a_missing_part_is_named(tmp_path: Path) -> None:
    """A service without a package."""
    without = _GOOD.replace("package:\n  name: shop-app\n", "")

    assert _problems(tmp_path, without) == ["shop.yaml: package: is missing: add it"]


def test_an_empty_file_is_a_problem_not_a_crash(tmp_path: Path) -> None:
    """Just created, not filled yet."""
    (problem,) = _problems(tmp_path, "")

    assert problem.startswith("shop.yaml: ")


def test_a_file_is_named_after_its_service(tmp_path: Path) -> None:
    """Else one service could be there twice."""
    assert _problems(tmp_path, _GOOD.replace("name: shop\n", "name: store\n")) == [
        "shop.yaml: name: is store: name the file store.yaml"
    ]


def test_a_service_that_is_not_there_says_which_are(tmp_path: Path) -> None:
    """A typing error in the name."""
    _write(tmp_path, "shop", _GOOD)

    with pytest.raises(CatalogueError, match="no such service; there are shop"):
        load_service("shpo", tmp_path)


def test_the_mistakes_of_all_files_come_in_one_list(tmp_path: Path) -> None:
    """Mend all, then try again once."""
    _write(tmp_path, "a", _GOOD.replace("name: shop\n", "name: a\n").replace("replicas: 2", ""))
    _write(tmp_path, "b", "name: [")

    services, problems = try_all(tmp_path)

    assert services == {}
    assert [problem.file.name for problem in problems] == ["a.yaml", "b.yaml"]
