"""What each system keeps on disk, in bytes."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from lab.services.postgres import BIN
from lab.settings import Places
from lab.supervisor import environment, inside

Sizes = dict[str, dict[str, int]]  # system -> part -> bytes


def sizes(places: Places) -> Sizes:
    """Measure it all. PuppetDB's tables are vacuumed first, as autovacuum does by and by."""
    ca, puppet = places.of("puppet") / "ssl" / "ca", places.of("puppet") / "var"
    knot, icinga = places.of("knot"), places.of("icinga") / "var"
    objects, state = icinga / "lib" / "api" / "packages", icinga / "lib" / "icinga2.state"
    return {
        "Puppet CA": {
            "certificates and requests": tree(ca / "signed") + tree(ca / "requests"),
            "inventory": tree(ca / "inventory.txt"),
            "revocation list": tree(ca / "ca_crl.pem"),
        },
        "Puppet Server": {
            "cached facts": tree(puppet / "yaml"),
            "reports": tree(puppet / "reports"),
        },
        "PuppetDB": {"database": _database(places), "queue": tree(places.of("puppetdb") / "var")},
        "DNS (Knot)": {"zones": tree(knot / "zones"), "journal": tree(knot / "db" / "journal")},
        "Icinga 2": {
            "objects": tree(objects),
            "state": tree(state),
            "the rest": tree(icinga) - tree(objects) - tree(state),
        },
    }


def tree(path: Path) -> int:
    """Return the bytes in a file or in all files of a folder; what is not there has none.

    Databases make files with holes: what counts is what was written.
    """
    files = [path] if path.is_file() else [each for each in path.rglob("*") if each.is_file()]
    return sum(_written(each) for each in files)


def _written(file: Path) -> int:
    try:
        found = file.stat()
    except FileNotFoundError:  # it went while we looked
        return 0
    return min(found.st_size, found.st_blocks * 512)


def rows(places: Places) -> Mapping[str, int]:
    """Return how many rows each table of PuppetDB has, as of its last vacuum."""
    text = psql(places, "select relname, n_live_tup from pg_stat_user_tables where n_live_tup > 0")
    pairs = (line.split("|") for line in text.splitlines())
    return {name: int(count) for name, count in pairs}


def relations(places: Places) -> Mapping[str, int]:
    """Return the bytes of each table of PuppetDB's database, its indexes included.

    PuppetDB has a partition for each day of reports and events: they count as one table.
    """
    text = psql(
        places,
        "select relname, pg_total_relation_size(oid) from pg_class where relkind in ('r', 'm')",
    )
    found: Counter[str] = Counter()
    for line in text.splitlines():
        name, size = line.split("|")
        found[re.sub(r"_\d{8}z$", "", name)] += int(size)
    return found


def _database(places: Places) -> int:
    psql(places, "vacuum (analyze)")
    return int(psql(places, "select pg_database_size('puppetdb')"))


def psql(places: Places, statement: str) -> str:
    """Return what PostgreSQL answers in PuppetDB's database."""
    socket = str(places.of("postgres") / "run")
    program = [str(BIN / "psql"), "-qXtA", "-v", "ON_ERROR_STOP=1", "-h", socket]
    command = [*inside("postgres"), *environment({}), *program, "-c", statement, "puppetdb"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")
    if done.returncode:
        raise RuntimeError(f"{statement}: {done.stderr.strip()}")
    return done.stdout.strip()
