"""Whether what runs was started with the code that is there now."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab import code
from lab.settings import Places
from lab.up import outdated


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with a file of each kind that matters, or does not."""
    for name in (
        *("plugins/snowmelt/look.py", "plugins/snowmelt/__pycache__/look.pyc", "dags/rollout.py"),
        *("include/planner/rollout.py", "include/catalogue/services/shop.yaml"),
        *("include/puppet/manifests/site.pp", "include/first_boot.sh", "lab/demo/scene.py"),
        *("lab/up.py", "lab/README.md", "lab/opennebula/api/vms.py", "lab/vm/enter"),
        *("contrib/haproxy/snowmelt-members", "requirements.txt"),
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    return tmp_path


@pytest.mark.parametrize(
    ("file", "by"),
    [
        ("plugins/snowmelt/look.py", ["airflow"]),
        ("include/planner/rollout.py", ["airflow"]),
        ("include/first_boot.sh", ["airflow"]),
        ("include/puppet/manifests/site.pp", ["lab"]),
        ("lab/up.py", ["lab"]),
        ("lab/opennebula/api/vms.py", ["lab"]),
        ("lab/vm/enter", ["lab"]),
        ("contrib/haproxy/snowmelt-members", ["lab"]),
        ("requirements.txt", ["airflow", "lab"]),
        ("dags/rollout.py", []),  # Airflow reads it again and again, as it does
        ("include/catalogue/services/shop.yaml", []),  # this, which tests change
        ("plugins/snowmelt/__pycache__/look.pyc", []),
        ("lab/README.md", []),
        ("lab/demo/scene.py", []),
    ],
)
def test_who_has_to_be_started_anew_for_a_change(checkout: Path, file: str, by: list[str]) -> None:
    kinds = {"airflow": code.airflow, "lab": code.lab}
    before = {name: kind(checkout) for name, kind in kinds.items()}

    (checkout / file).write_text("changed")

    assert [name for name, kind in kinds.items() if kind(checkout) != before[name]] == by


def test_the_same_code_in_another_folder_is_other_code(checkout: Path, tmp_path: Path) -> None:
    """What runs has the first folder mounted, and would go on with what comes to be there."""
    again = tmp_path / "again"
    again.mkdir()
    for name in ("lab", "include", "contrib", "plugins"):
        (again / name).symlink_to(checkout / name)

    assert code.lab(checkout) != code.lab(again)


def test_a_lab_is_known_by_the_code_that_it_came_up_with(tmp_path: Path) -> None:
    places = Places(state=tmp_path, cache=tmp_path)
    assert not outdated(places)  # there is none

    (tmp_path / "code").write_text(code.lab())
    assert not outdated(places)

    (tmp_path / "code").write_text("/srv/other 0123456789abcdef")
    assert outdated(places)
