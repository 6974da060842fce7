"""Datastores: only what images and VMs refer to."""

from typing import cast

from lab.opennebula.api.common import (
    managed,
    parsed,
    register_info,
    register_owned,
    register_pool,
    register_update,
    taken_name,
)
from lab.opennebula.attrs import cdata, ids, plain
from lab.opennebula.defaults import store_attributes
from lab.opennebula.errors import ACTION, INTERNAL, OneError
from lab.opennebula.model import SHARED, Datastore, Thing
from lab.opennebula.registry import Call, method
from lab.opennebula.render import owner, permissions
from lab.opennebula.rights import Request

TYPES = {"IMAGE_DS": 0, "SYSTEM_DS": 1, "FILE_DS": 2}


def datastore_xml(call: Call, thing: Thing) -> str:
    """The DATASTORE element; sizes are the dummy driver's."""
    store = cast(Datastore, thing)
    images = sorted(i.id for i in call.world.images if i.datastore == store.id)
    driver = "-" if store.type == 1 else store.template.text("DS_MAD")
    return (
        "<DATASTORE>"
        + plain("ID", store.id)
        + owner(call.world, store)
        + plain("NAME", store.name)
        + permissions(store)
        + cdata("DS_MAD", driver)
        + cdata("TM_MAD", store.template.text("TM_MAD"))
        + cdata("BASE_PATH", f"/var/lib/one//datastores/{store.id}")
        + plain("TYPE", store.type)
        + plain("DISK_TYPE", 0)
        + plain("STATE", 0)
        + ids("CLUSTERS", [0])
        + plain("TOTAL_MB", 20480)
        + plain("FREE_MB", 20480)
        + plain("USED_MB", 9720)
        + ids("IMAGES", images)
        + store.template.xml()
        + "</DATASTORE>"
    )


@method("one.datastore.allocate", "si", 1)
def allocate(call: Call) -> int:
    """A new datastore from template text."""
    world = call.world
    Request(world, call.user).need_create("DATASTORE").decide()
    body = parsed(call.s(0))
    name = taken_name(body)
    same = world.datastores.find(name)
    if same:
        raise OneError(INTERNAL, f"NAME is already taken by DATASTORE {same.id}.")
    kind = body.text("TYPE", "IMAGE_DS")
    for key, value in store_attributes(kind).items():
        if key not in body:
            body.put(key, value)
    store = Datastore(
        id=world.datastores.next_id(),
        name=name,
        uid=call.user.id,
        gid=call.user.gids[0],
        perms=list(SHARED),
        type=TYPES.get(kind, 0),
        template=body,
    )
    return world.datastores.save(store).id


@method("one.datastore.delete", "i")
def delete(call: Call) -> int:
    """Delete an empty datastore."""
    store = managed(call, "datastore")
    if any(image.datastore == store.id for image in call.world.images):
        raise OneError(ACTION, "Cannot delete datastore. Datastore is not empty.")
    call.world.pool("datastore").remove(store)
    return store.id


register_info("datastore", "datastore", datastore_xml)
register_pool("datastore", "datastore", "DATASTORE_POOL", datastore_xml)
register_update("datastore", "datastore")
register_owned("datastore", "datastore")
