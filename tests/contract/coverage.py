"""What the suite has to cover: every call of the product, and every error that it can meet there.

The outcomes are those that a recording of a real oned 7.4.0, or its source, gives for the call:
0 success, a positive number OpenNebula's error code, a negative one the code of a fault.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.contract.cloud import Cloud
from tests.contract.registry import Scenario
from tests.contract.site import Site
from tests.contract.transport import Replay

PRODUCT = Path(__file__).resolve().parents[2] / "plugins" / "snowmelt"
RECORDED = Site("http://recorded.invalid/RPC2", "oneadmin:recorded")

AUTHENTICATION, AUTHORIZATION, MISSING, ACTION = 0x0100, 0x0200, 0x0400, 0x0800
INTERNAL, ALLOCATE = 0x2000, 0x4000
_OBJECT = {0, AUTHENTICATION, AUTHORIZATION, MISSING}
_LIST = {0, AUTHENTICATION}

OUTCOMES: dict[str, set[int]] = {
    "one.system.version": _LIST,
    "one.user.info": _LIST,
    "one.vm.info": _OBJECT | {-501},
    "one.vm.action": _OBJECT | {ACTION},
    "one.vm.update": _OBJECT | {ACTION},
    "one.vm.updateconf": _OBJECT,
    "one.vm.rename": _OBJECT | {ACTION},
    "one.vm.chmod": _OBJECT,
    "one.vm.deploy": _OBJECT | {ACTION},
    "one.vm.recover": _OBJECT | {ACTION},
    "one.vm.schedadd": {0, AUTHENTICATION, AUTHORIZATION},
    "one.vm.monitoring": _OBJECT,
    "one.vmpool.info": _LIST | {INTERNAL},
    "one.vmpool.infoextended": _LIST | {INTERNAL},
    "one.vmpool.infoset": _LIST,
    "one.template.info": _OBJECT,
    "one.template.instantiate": _OBJECT | {ALLOCATE},
    "one.template.update": {0, AUTHENTICATION, MISSING},
    "one.templatepool.info": _LIST,
    "one.image.info": {0, AUTHENTICATION, MISSING},
    "one.image.allocate": {0, AUTHENTICATION, MISSING, INTERNAL, ALLOCATE},
    "one.image.delete": {0, AUTHENTICATION, MISSING, ACTION, INTERNAL},
    "one.imagepool.info": _LIST,
    "one.vn.info": {0, AUTHENTICATION, MISSING},
    "one.vn.hold": {0, AUTHENTICATION, MISSING, INTERNAL},
    "one.vn.release": {0, AUTHENTICATION, MISSING},
    "one.vnpool.info": _LIST,
    "HTTP": {200, 404, 405, 411, -503},
    "EVENTS": {0},
    "ONEGATE": {200, 401, 403},
}

# The roots that the product's OpenNebula client has, so that other hooks' methods are not taken
# for calls of it.
RESOURCES = {
    "acl", "cluster", "datastore", "datastorepool", "group", "host", "hostpool", "image",
    "imagepool", "marketapp", "secgroup", "secgrouppool", "system", "template", "templatepool",
    "user", "userpool", "vm", "vmpool", "vn", "vnpool", "zone", "zonepool",
}  # fmt: skip
CLIENTS = {"_one", "one", "server", "_server"}


def product_calls(root: Path = PRODUCT) -> set[str]:
    """Methods that the product's source calls through pyone, such as `one.vm.info`."""
    return {call for path in root.rglob("*.py") for call in _calls(ast.parse(path.read_text()))}


def _calls(module: ast.Module) -> Iterator[str]:
    """Attribute chains `<client>.<resource>.<verb>`, called or passed on as functions."""
    for node in ast.walk(module):
        if not isinstance(node, ast.Attribute) or not isinstance(node.value, ast.Attribute):
            continue
        resource, client = node.value.attr, node.value.value
        name = client.attr if isinstance(client, ast.Attribute) else getattr(client, "id", "")
        if resource in RESOURCES and name in CLIENTS:
            yield f"one.{resource}.{node.attr}"


def replayed(scenarios: list[Scenario]) -> tuple[set[tuple[str, int]], set[str]]:
    """Outcomes seen and recordings used when all scenarios run against the recordings."""
    seen: set[tuple[str, int]] = set()
    used: set[str] = set()
    for scenario in scenarios:
        transport = Replay()
        cloud = Cloud(transport, RECORDED, "", "airflow-pw")
        scenario.run(cloud)
        seen |= {(call.split()[0], outcome) for call, outcome in cloud.seen}
        used |= {name for name, _ in transport.asked} | cloud.texts
    return seen, used
