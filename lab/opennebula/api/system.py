"""system, zone and cluster calls, and the pools that are always empty here."""

from lab.opennebula.api.common import pool_xml
from lab.opennebula.attrs import Attrs, ids, plain
from lab.opennebula.errors import AUTHORIZATION, OneError, denied
from lab.opennebula.instantiate import RESTRICTED, RESTRICTED_WHOLE
from lab.opennebula.registry import Call, method
from lab.opennebula.rights import is_admin

VERSION = "7.4.0"


@method("one.system.version")
def version(_call: Call) -> str:
    """The version."""
    return VERSION


@method("one.system.config")
def config(call: Call) -> str:
    """The options a client may ask about (oneadmin only)."""
    if not is_admin(call.user):
        text = "The oned configuration can only be retrieved by users in the oneadmin group"
        raise OneError(AUTHORIZATION, text)
    settings = call.world.settings
    options = Attrs([
        ("API_LIST_ORDER", "DESC"), ("MAC_PREFIX", "02:00"), ("MAX_CONN", "15"),
        ("MAX_CONN_BACKLOG", "15"), ("MAX_ACTIONS_PER_HOST", "1"), ("TIMEOUT", "15"),
        ("DEFAULT_DEVICE_PREFIX", "sd"), ("DEFAULT_UMASK", "177"), ("NETWORK_SIZE", "254"),
        ("DB", {"BACKEND": "sqlite", "TIMEOUT": "2500"}), ("PORT", "2633"),
        ("ONEGATE_ENDPOINT", settings.onegate), ("SCHED_RETRY_TIME", f"{settings.retry:g}"),
        ("SCHED_MAX_WND_TIME", f"{settings.window:g}"),
        ("SCHED_MAX_WND_LENGTH", str(settings.window_length)),
        ("HM_MAD", {"ARGUMENTS": "-p 2101 -l 2102 -b 127.0.0.1", "EXECUTABLE": "one_hm"}),
    ])  # fmt: skip
    for name in sorted(RESTRICTED_WHOLE):
        options.add("VM_RESTRICTED_ATTR", name)
    for name, keys in RESTRICTED.items():
        for key in sorted(keys):
            options.add("VM_RESTRICTED_ATTR", f"{name}/{key}")
    return options.xml("OPENNEBULA_CONFIGURATION")


@method("one.zonepool.info")
def zonepool(call: Call) -> str:
    """The one zone."""
    endpoint = call.world.settings.endpoint
    grpc = endpoint.removeprefix("http://").partition("/")[0].replace(":2633", ":2634")
    template = Attrs([("ENDPOINT", endpoint), ("ENDPOINT_GRPC", grpc)])
    head = plain("ID", 0) + plain("NAME", "OpenNebula") + plain("STATE", 0)
    return f"<ZONE_POOL><ZONE>{head}{template.xml()}<SERVER_POOL></SERVER_POOL></ZONE></ZONE_POOL>"


def _cluster(call: Call) -> str:
    world = call.world
    template = Attrs([("RESERVED_CPU", ""), ("RESERVED_MEM", "")])
    return (
        "<CLUSTER>"
        + plain("ID", 0)
        + plain("NAME", "default")
        + ids("HOSTS", sorted(world.hosts.things))
        + ids("DATASTORES", sorted(world.datastores.things))
        + ids("VNETS", sorted(world.vnets.things))
        + template.xml()
        + "</CLUSTER>"
    )


@method("one.clusterpool.info")
def clusterpool(call: Call) -> str:
    """The one cluster."""
    return pool_xml("CLUSTER_POOL", [_cluster(call)] if is_admin(call.user) else [])


@method("one.cluster.info", "ib", 1)
def cluster(call: Call) -> str:
    """The one cluster."""
    if call.i(0) != 0:
        raise OneError(0x0400, f"Error getting cluster [{call.i(0)}].", call.i(0))
    if not is_admin(call.user):
        raise denied(call.user.id, "Not authorized to perform USE CLUSTER [0]")
    return _cluster(call)


def _empty(name: str, tag: str) -> None:
    @method(name, "iii", 0)
    def info(_call: Call) -> str:
        return f"<{tag}></{tag}>"


_empty("one.hookpool.info", "HOOK_POOL")
_empty("one.marketpool.info", "MARKETPLACE_POOL")
_empty("one.marketapppool.info", "MARKETPLACEAPP_POOL")
_empty("one.vmgrouppool.info", "VM_GROUP_POOL")
_empty("one.vrouterpool.info", "VROUTER_POOL")
