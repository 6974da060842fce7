"""The rules of the lab's firewall, by a real nft in a network of its own."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from lab.services.firewall import TABLE, group_of, rules
from lab.settings import POOLS
from tests.plugins.snowmelt.hooks.servers import program


def loaded(tmp_path: Path, *between: str) -> list[dict[str, dict[str, object]]]:
    """Load the rules, do what is *between*, load them anew as after a restart; return the table."""
    file = tmp_path / "central.nft"
    file.write_text(rules())
    nft = program("nft")
    steps = [f"{nft} -f {file}", *between, f"{nft} -f {file}", f"{nft} -j list table inet central"]
    command = [program("unshare"), "--map-root-user", "--net", "sh", "-c", " && ".join(steps)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: list[dict[str, dict[str, object]]] = json.loads(done.stdout)["nftables"]
    return found


def test_each_pool_has_a_set_and_there_is_one_rule_against_all_else(tmp_path: Path) -> None:
    found = loaded(tmp_path)

    assert {row["set"]["name"] for row in found if "set" in row} == {group_of(p) for p in POOLS}
    chain = [row["rule"]["expr"] for row in found if "rule" in row]
    assert len(chain) == len(POOLS) + 1
    assert "reject" in json.dumps(chain[-1])
    assert not [rule for rule in chain[:-1] if "reject" in json.dumps(rule)]


def test_a_restart_keeps_who_is_let_in(tmp_path: Path) -> None:
    element = f"nft add element {' '.join(TABLE)} shop_vms {{ 198.18.0.100 comment '\"vm0\"' }}"
    sets = {row["set"]["name"]: row["set"] for row in loaded(tmp_path, element) if "set" in row}

    assert sets["shop_vms"]["elem"] == [{"elem": {"val": "198.18.0.100", "comment": "vm0"}}]
