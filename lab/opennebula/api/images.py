"""Images: LOCKED while the copy runs, then READY or ERROR; USED while any VM has them."""

from typing import cast

from lab.opennebula import names as n
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
from lab.opennebula.errors import ACTION, ALLOCATE, INTERNAL, OneError
from lab.opennebula.model import Image, Thing
from lab.opennebula.registry import Call, method
from lab.opennebula.render import lock, owner, permissions
from lab.opennebula.rights import Request, require
from lab.opennebula.steps import now, stamp
from lab.opennebula.world import World

COPY = 0.5  # seconds; the switch `image` makes it slow, fail or hang
DELETE = 0.5
_COLUMNS = ("NAME", "TYPE", "PATH", "SIZE", "PERSISTENT", "FORMAT", "FS", "SOURCE", "DRIVER")


def image_xml(call: Call, thing: Thing) -> str:
    """The IMAGE element."""
    image = cast(Image, thing)
    store = call.world.datastores.things.get(image.datastore)
    snapshots = (("ALLOW_ORPHANS", "NO"), ("CURRENT_BASE", -1), ("NEXT_SNAPSHOT", 0))
    return (
        "<IMAGE>"
        + plain("ID", image.id)
        + owner(call.world, image)
        + plain("NAME", image.name)
        + lock(image)
        + permissions(image)
        + plain("TYPE", image.type)
        + plain("DISK_TYPE", 0)
        + plain("PERSISTENT", image.persistent)
        + plain("REGTIME", image.regtime)
        + plain("MODTIME", image.regtime)
        + cdata("SOURCE", image.source)
        + cdata("PATH", image.path)
        + cdata("FORMAT", image.format)
        + cdata("FS", "")
        + plain("SIZE", image.size)
        + plain("STATE", image.state)
        + plain("PREV_STATE", image.prev_state)
        + plain("RUNNING_VMS", len(image.vms))
        + plain("CLONING_OPS", 0)
        + plain("CLONING_ID", image.cloning_id)
        + plain("TARGET_SNAPSHOT", -1)
        + plain("DATASTORE_ID", image.datastore)
        + plain("DATASTORE", store.name if store else "")
        + ids("VMS", sorted(image.vms))
        + "<CLONES></CLONES><APP_CLONES></APP_CLONES>"
        + image.template.xml()
        + f"<SNAPSHOTS>{''.join(cdata(k, v) for k, v in snapshots)}</SNAPSHOTS>"
        + "<BACKUP_INCREMENTS></BACKUP_INCREMENTS><BACKUP_DISK_IDS></BACKUP_DISK_IDS></IMAGE>"
    )


def _lacks(text: str) -> OneError:
    return OneError(ALLOCATE, f"Error allocating a new image. {text}")


@method("one.image.allocate", "sib", 2)
def allocate(call: Call) -> int:
    """A new image from template text, in a datastore. It is LOCKED at first."""
    world = call.world
    body = parsed(call.s(0))
    name = body.text("NAME")
    store = world.datastores.get(call.i(1))
    Request(world, call.user).need_create("IMAGE").need("USE", store).decide()
    if store.type == 1:
        raise _lacks("New images can only be allocated in a files or image datastore.")
    if not (body.text("PATH") or body.text("SOURCE") or body.text("SIZE").isdigit()):
        text = "Cannot parse image SIZE: Wrong number or missing SIZE attribute."
        raise OneError(INTERNAL, text)
    same = world.images.find(name)
    if same and same.uid == call.user.id:
        raise _lacks(f"NAME is already taken by IMAGE {same.id}.")
    taken_name(body)
    image = Image(
        id=world.images.next_id(),
        name=name,
        uid=call.user.id,
        gid=call.user.gids[0],
        type=n.IMAGE_TYPES.get(body.text("TYPE", "OS"), 0),
        datastore=store.id,
        path=body.text("PATH"),
        size=int(body.text("SIZE") or 1024),
        persistent=int(body.text("PERSISTENT").upper() == "YES"),
        regtime=now(),
        format=body.text("FORMAT"),
        source=body.text("SOURCE"),
        template=body,
    )
    body.discard(*_COLUMNS)
    if "DEV_PREFIX" not in body:
        body.put("DEV_PREFIX", "sd")
    begin_copy(world, image)
    return world.images.save(image).id


def begin_copy(world: World, image: Image) -> None:
    """Copy: READY later, or ERROR, or LOCKED for ever."""
    switch = world.board.take("image", image.name, "fail", "slow", "hang")
    if switch and switch.kind == "hang":
        return
    failed = bool(switch and switch.kind == "fail")
    delay = switch.seconds if switch and switch.kind == "slow" else 0.0
    world.clock.after(delay, lambda: world.after(COPY, lambda: _copied(world, image, failed)))


def _copied(world: World, image: Image, failed: bool) -> None:
    if image.id not in world.images.things or image.state != n.IMAGE_LOCKED:
        return
    image.state = image.prev_state = n.IMAGE_ERROR if failed else n.IMAGE_READY
    if failed:
        reason = "dummy datastore cp told to fail"
        marks = f"ERROR MESSAGE --8<------{reason}ERROR MESSAGE ------>8--"
        text = f"{stamp()} : Error copying image in the datastore: {marks}"
        image.template.put("ERROR", text)
    else:
        image.source = image.source or "dummy_path"
        image.format = image.format or "dummy_format"
        image.cloning_id = -1
    world.images.save(image)


def take_up(world: World) -> None:
    """After a start: go on with copies and deletions that were under way."""
    for image in list(world.images):
        if image.state == n.IMAGE_LOCKED:
            begin_copy(world, image)
        elif image.state == n.IMAGE_DELETE:
            world.images.remove(image)


@method("one.image.delete", "ib", 1)
def delete(call: Call) -> int:
    """Delete: state 7 for a moment. The second parameter forces it while LOCKED."""
    image = cast(Image, managed(call, "image"))
    if image.state == n.IMAGE_LOCKED and not call.b(1):
        text = (
            "Image locked, use --force flag to remove the image. "
            "Force delete may leave some files on Datastore"
        )
        raise OneError(INTERNAL, text, image.id)
    if image.vms:
        text = f"Cannot delete image. There are {len(image.vms)} VMs using it."
        raise OneError(ACTION, text)
    image.state = image.prev_state = n.IMAGE_DELETE
    call.world.images.save(image)
    call.world.after(DELETE, lambda: _deleted(call.world, image))
    return image.id


def _deleted(world: World, image: Image) -> None:
    if image.id in world.images.things:
        world.images.remove(image)


@method("one.image.enable", "ib")
def enable(call: Call) -> int:
    """READY <-> DISABLED."""
    image = cast(Image, managed(call, "image"))
    if image.state not in (n.IMAGE_READY, n.IMAGE_DISABLED, n.IMAGE_ERROR):
        raise OneError(ACTION, f"Image cannot be enabled or disabled in state {image.state}")
    image.state = image.prev_state = n.IMAGE_READY if call.b(1) else n.IMAGE_DISABLED
    return call.world.images.save(image).id


@method("one.image.persistent", "ib")
def persistent(call: Call) -> int:
    """Persistent or not; not while VMs use it."""
    image = cast(Image, managed(call, "image"))
    if image.vms:
        raise OneError(ACTION, "Image must be ready to change its persistence.")
    image.persistent = int(call.b(1))
    return call.world.images.save(image).id


@method("one.image.clone", "isi", 2)
def clone(call: Call) -> int:
    """A copy under another name, LOCKED at first."""
    world = call.world
    origin = world.images.get(call.i(0))
    require(world, call.user, "USE", origin)
    copy = copy_of(world, origin, call.s(1), call)
    copy.cloning_id = origin.id
    copy.path = origin.source
    begin_copy(world, copy)
    return world.images.save(copy).id


def copy_of(world: World, origin: Image, name: str, call: Call) -> Image:
    """A LOCKED image like `origin`. Raises OneError ALLOCATE for a taken name."""
    same = world.images.find(name)
    if same and same.uid == call.user.id:
        raise _lacks(f"NAME is already taken by IMAGE {same.id}.")
    return Image(
        id=world.images.next_id(),
        name=name,
        uid=call.user.id,
        gid=call.user.gids[0],
        type=origin.type,
        datastore=origin.datastore,
        path=origin.path,
        size=origin.size,
        persistent=origin.persistent,
        regtime=now(),
        format=origin.format,
        template=origin.template.copy(),
    )


register_info("image", "image", image_xml)
register_pool("image", "image", "IMAGE_POOL", image_xml)
register_update("image", "image")
register_owned("image", "image")
