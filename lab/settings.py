"""The fixed facts of the lab: names, addresses, places. Everything else is derived from these."""

from __future__ import annotations

import os
import pwd
from dataclasses import dataclass
from pathlib import Path

NETNS = os.environ.get("SNOWMELT_LAB_NETNS", "snowmelt-lab")  # a second lab needs another name
BRIDGE = "br0"
SERVICES_IP = (
    "198.18.0.1"  # 198.18.0.0/15 is the benchmarking range: no real network is hidden by it
)
BALANCER_IP = "198.18.0.80"
POOLS = {
    "shop": BALANCER_IP,
    "accounts": "198.18.0.81",
}  # pool -> where the balancer answers for it
ZONE = "lab.test"
REVERSE_ZONE = "0.18.198.in-addr.arpa"
USER = "lab"
UID = 7001
CHECKOUT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Places:
    """Where one lab keeps its things: `state` dies with the lab, `cache` outlives it."""

    state: Path
    cache: Path

    @property
    def secrets(self) -> Path:
        return self.state / "secrets"

    @property
    def vms(self) -> Path:
        return self.state / "vms"

    @property
    def logs(self) -> Path:
        return self.state / "log"

    @property
    def images(self) -> Path:
        return self.cache / "images"

    def of(self, part: str) -> Path:
        """The folder of one service, for example `of("knot")`."""
        return self.state / part


def places() -> Places:
    """The places of this machine's lab; SNOWMELT_LAB_STATE and SNOWMELT_LAB_CACHE move them."""
    return Places(
        state=Path(os.environ.get("SNOWMELT_LAB_STATE", "/var/lib/snowmelt-lab")),
        cache=Path(os.environ.get("SNOWMELT_LAB_CACHE", "/var/cache/snowmelt-lab")),
    )


def account_lacks() -> str:
    """Say what is wrong with the account that runs the services; nothing where nothing is."""
    try:
        found = pwd.getpwnam(USER).pw_uid
    except KeyError:
        return f"the account `{USER}` (uid {UID}) is missing: run `make setup`"
    if found != UID:
        return f"the account `{USER}` has the uid {found}; the lab needs one with {UID}: rename it"
    return ""
