"""The calls, one module per kind of object. Importing this registers them all."""

from lab.opennebula.api import (
    acls,
    datastores,
    groups,
    hosts,
    images,
    secgroups,
    system,
    templates,
    users,
    vmpool,
    vms,
    vnets,
)

__all__ = [
    "acls", "datastores", "groups", "hosts", "images", "secgroups", "system", "templates",
    "users", "vmpool", "vms", "vnets",
]  # fmt: skip
