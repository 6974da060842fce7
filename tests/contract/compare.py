"""Says precisely in what an answer differs from the recorded one."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.contract import normal, tree
from tests.contract.tree import Node
from tests.contract.wire import Answer, Value

ID_KINDS = {
    "VMID": "vm",
    "OID": "vm",
    "VM": "vm",
    "PARENT_ID": "vm",
    "RESOURCE_ID": "vm",
    "NETWORK_ID": "vnet",
    "VNET": "vnet",
    "PARENT_NETWORK_ID": "vnet",
    "IMAGE_ID": "image",
    "TEMPLATE_ID": "template",
    "UID": "user",
    "OWNER": "user",
    "CREATED_BY": "user",
    "GID": "group",
    "SECURITY_GROUP_ID": "secgroup",
    "SECURITY_GROUPS": "secgroup",
}
# What an <ID> names depends on the element that holds it.
PARENT_KINDS = {
    "VM": "vm",
    "VMS": "vm",
    "UPDATED_VMS": "vm",
    "VMTEMPLATE": "template",
    "VNET": "vnet",
    "IMAGE": "image",
    "SECURITY_GROUP": "secgroup",
    "USER": "user",
    "GROUP": "group",
    "GROUPS": "group",
    "ACL": "acl",
    "HOST": "host",
    "DATASTORE": "datastore",
}
_SECRET = re.compile(r"[0-9a-f]{64}")


@dataclass
class Known:
    """Which live object stands for which recorded one, and what our names are prefixed with."""

    prefix: str = ""
    admin: str = "oneadmin"
    ids: dict[tuple[str, int], int] = field(default_factory=dict)

    def own(self, kind: str) -> tuple[set[int], set[int]]:
        """Recorded and live ids of the objects of one kind that this scenario works with."""
        pairs = [(key[1], live) for key, live in self.ids.items() if key[0] == kind]
        return {old for old, _ in pairs}, {new for _, new in pairs}

    def same(self, kind: str, recorded: int, live: int) -> bool:
        """Whether a live id may stand for a recorded one; -1 and other marks must be equal."""
        if recorded < 0 or live < 0:
            return recorded == live
        return self.ids.get((kind, recorded), live) == live


def differences(
    recorded: Answer,
    got: Answer,
    known: Known,
    only: Iterable[str] = (),
    ignore: Iterable[str] = (),
) -> list[str]:
    """One sentence per difference, none when the answers agree.

    only: paths below the document's root that alone are compared.
    ignore: tags that are left out of both documents.
    """
    if recorded.status != got.status:
        return [f"HTTP status: expected {recorded.status}, got {got.status}"]
    if recorded.fault or got.fault:
        return _fault_differences(recorded, got)
    found = _shape_differences(recorded, got)
    if found or not recorded.items:
        return found
    if not recorded.ok:
        return _text_differences("message", recorded.value, got.value.replace(known.prefix, ""))
    return _value_differences(recorded.items[1], got.items[1], known, tuple(only), set(ignore))


def tree_differences(wanted: Node, seen: Node, known: Known) -> list[str]:
    """The same for two documents that are already trees."""
    return list(_nodes(wanted.tag, wanted, seen, known))


def _fault_differences(recorded: Answer, got: Answer) -> list[str]:
    if not (recorded.fault and got.fault):
        return [f"expected fault {recorded.fault}, got fault {got.fault} (answer {got.items[:3]})"]
    if recorded.fault[0] != got.fault[0]:
        return [f"fault code: expected {recorded.fault[0]}, got {got.fault[0]}"]
    return _text_differences("fault text", recorded.fault[1], got.fault[1])


def _shape_differences(recorded: Answer, got: Answer) -> list[str]:
    kinds = [item.kind for item in recorded.items]
    live = [item.kind for item in got.items]
    if recorded.ok != got.ok or recorded.code != got.code:
        return [f"expected {_outcome(recorded)}, got {_outcome(got)}"]
    if kinds != live:
        return [f"array types: expected {kinds}, got {live}"]
    # The 4th element is the id of a missing object (unlike on both ends), or -1.
    signs = [[item.text.startswith("-") for item in a.items[3:]] for a in (recorded, got)]
    return [] if signs[0] == signs[1] else [f"object id: {recorded.items[3]}, got {got.items[3]}"]


def _outcome(answer: Answer) -> str:
    return f"{'success' if answer.ok else hex(answer.code)} {answer.value[:200]!r}"


def _text_differences(what: str, recorded: str, got: str) -> list[str]:
    wanted, seen = normal.message(recorded), normal.message(got)
    return [] if wanted == seen else [f"{what}: expected {wanted!r}, got {seen!r}"]


def _value_differences(
    recorded: Value, got: Value, known: Known, only: tuple[str, ...], ignore: set[str]
) -> list[str]:
    if recorded.text.startswith("<"):
        wanted, seen = _documents(recorded.text, got.text, known)
        return _document_differences(wanted, seen, known, only, ignore)
    if recorded.kind in {"i4", "i8"}:
        return []  # an object id: the caller binds it or checks it against the object it meant
    if _SECRET.fullmatch(recorded.text):
        return [] if _SECRET.fullmatch(got.text) else ["expected a token of 64 hexadecimal digits"]
    return _text_differences("value", recorded.text, got.text)


def _documents(recorded: str, got: str, known: Known) -> tuple[Node, Node]:
    return tree.parse(recorded), tree.parse(got.replace(known.prefix, "") if known.prefix else got)


def _document_differences(
    wanted: Node, seen: Node, known: Known, only: tuple[str, ...], ignore: set[str]
) -> list[str]:
    for node in (*wanted.walk(), *seen.walk()):
        node.children = [child for child in node.children if child.tag not in ignore]
    if wanted.tag.endswith("_POOL"):
        _keep_own(wanted, seen, known)
    if not only:
        return list(_nodes(wanted.tag, wanted, seen, known))
    found: list[str] = []
    for path in only:
        one, two = wanted.child(path), seen.child(path)
        if one is None or two is None:
            found += [] if one is two else [f"{path}: only in one of both"]
        else:
            found += _nodes(f"{wanted.tag}/{path}", one, two, known)
    return found


def _keep_own(wanted: Node, seen: Node, known: Known) -> None:
    """Other people's objects in a list are not ours to compare."""
    for index, pool in enumerate((wanted, seen)):
        pool.children = [
            child
            for child in pool.children
            if int(child.value("ID") or -1) in known.own(PARENT_KINDS.get(child.tag, ""))[index]
        ]


def _nodes(here: str, wanted: Node, seen: Node, known: Known) -> Iterable[str]:
    if wanted.tag != seen.tag:
        yield f"{here}: got element {seen.tag}"
    elif wanted.tag in normal.OPAQUE:
        return
    elif wanted.tag == "MONITORING_DATA":
        yield from _records(here, wanted, seen)
    elif wanted.tag in normal.COLLAPSED:
        yield from _collapsed(here, wanted, seen)
    elif wanted.children or seen.children:
        yield from _children(here, wanted, seen, known)
    else:
        yield from _leaf(here, wanted, seen, known)


def _records(here: str, wanted: Node, seen: Node) -> Iterable[str]:
    """Measurements come with the next probe: none yet, or each with all its fields."""
    fields = {tuple((f.tag, f.cdata) for f in record.children) for record in wanted.children}
    for record in seen.children:
        if tuple((f.tag, f.cdata) for f in record.children) not in fields:
            yield f"{here}: record of {[f.tag for f in record.children]}"


def _collapsed(here: str, wanted: Node, seen: Node) -> Iterable[str]:
    shapes = [{_shape(child) for child in node.children} for node in (wanted, seen)]
    if shapes[0] != shapes[1]:
        yield f"{here}: expected members {sorted(shapes[0])}, got {sorted(shapes[1])}"


def _shape(node: Node) -> str:
    text = normal.leaf(node.tag, node.text)
    if node.tag in normal.IDS:
        text = "-1" if text.startswith("-") else "id"
    below = " ".join(_shape(child) for child in node.children)
    return f"<{node.tag}{' cdata' if node.cdata else ''}>{below or text}"


def _children(here: str, wanted: Node, seen: Node, known: Known) -> Iterable[str]:
    tags = [[child.tag for child in node.children] for node in (wanted, seen)]
    if tags[0] != tags[1]:
        missing, extra = Counter(tags[0]) - Counter(tags[1]), Counter(tags[1]) - Counter(tags[0])
        yield (
            f"{here}: missing {sorted(missing.elements())}, extra {sorted(extra.elements())}"
            if missing or extra
            else f"{here}: order expected {tags[0]}, got {tags[1]}"
        )
    rest = list(seen.children)
    for child in wanted.children:
        twin = next((other for other in rest if other.tag == child.tag), None)
        if twin is not None:
            rest.remove(twin)
            yield from _pair(here, child, twin, known)


def _pair(here: str, child: Node, twin: Node, known: Known) -> Iterable[str]:
    if child.tag != "ID":
        yield from _nodes(f"{here}/{child.tag}", child, twin, known)
        return
    kind = PARENT_KINDS.get(here.rpartition("/")[2], "")
    if not _same_ids(kind, child.text, twin.text, known):
        yield f"{here}/ID: {twin.text} does not stand for the recorded {child.text}"


def _leaf(here: str, wanted: Node, seen: Node, known: Known) -> Iterable[str]:
    if wanted.cdata != seen.cdata:
        kinds = ["CDATA" if node.cdata else "plain text" for node in (wanted, seen)]
        yield f"{here}: expected {kinds[0]}, got {kinds[1]}"
    if wanted.tag in normal.IDS:
        same = _same_ids(ID_KINDS.get(wanted.tag, ""), wanted.text, seen.text, known)
    else:
        same = _same_text(wanted.tag, wanted.text, seen.text, known)
    if not same:
        yield f"{here}: expected {wanted.text[:300]!r}, got {seen.text[:300]!r}"


def _same_ids(kind: str, wanted: str, seen: str, known: Known) -> bool:
    pairs = list(zip(wanted.split(","), seen.split(","), strict=False))
    if len(wanted.split(",")) != len(seen.split(",")):
        return False
    return all(
        one == two or (_is_int(one) and _is_int(two) and known.same(kind, int(one), int(two)))
        for one, two in pairs
    )


def _is_int(text: str) -> bool:
    return re.fullmatch(r"-?\d+", text) is not None


def _same_text(tag: str, wanted: str, seen: str, known: Known) -> bool:
    if normal.leaf(tag, wanted) == normal.leaf(tag, seen):
        return True
    if tag in {"UNAME", "GNAME", "NETWORK_UNAME", "IMAGE_UNAME"}:
        return wanted == "oneadmin" and seen == known.admin
    if tag == "VALUE" and wanted.isdigit():  # a parameter of a published call
        return seen in {str(now) for (_, old), now in known.ids.items() if old == int(wanted)}
    if tag in {"NAME", "SET_HOSTNAME"}:  # "<template>-<vm id>", when no name was given
        stem, _, number = wanted.rpartition("-")
        live = known.ids.get(("vm", int(number))) if number.isdigit() else None
        return live is not None and seen == f"{stem}-{live}"
    return False
