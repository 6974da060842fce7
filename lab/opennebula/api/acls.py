"""ACL rules: added and listed as hexadecimal strings."""

from lab.opennebula import acl
from lab.opennebula.api.common import pool_xml
from lab.opennebula.attrs import plain
from lab.opennebula.errors import INTERNAL, OneError
from lab.opennebula.model import Rule
from lab.opennebula.registry import Call, method
from lab.opennebula.rights import Request, is_admin


def _number(text: str) -> int:
    try:
        return int(text, 16)
    except ValueError as error:
        raise OneError(INTERNAL, f"Rule is malformed: {text!r} is not hexadecimal") from error


def _refuse_others(call: Call, right: str) -> None:
    if not is_admin(call.user):
        request = Request(call.world, call.user)
        request.refused.append(f"{right} ACL")
        request.decide()


@method("one.acl.addrule", "ssss", 3)
def addrule(call: Call) -> int:
    """Add a rule: user, resource, rights, zone; all hexadecimal."""
    _refuse_others(call, "CREATE")
    zone = _number(call.s(3)) if call.s(3) else 0x100000000
    user, resource, rights = (_number(call.s(position)) for position in range(3))
    rule = Rule(id=-1, name="", user=user, resource=resource, rights=rights, zone=zone)
    flaw = acl.flaw(rule)
    if flaw:
        raise OneError(INTERNAL, f"Rule {acl.text(rule)} is malformed: {flaw}")
    masks = (user, resource, rights, zone)
    if any((r.user, r.resource, r.rights, r.zone) == masks for r in call.world.rules):
        raise OneError(INTERNAL, f"Rule {acl.text(rule)} already exists")
    rule.id = call.world.rules.next_id()
    return call.world.rules.save(rule).id


@method("one.acl.delrule", "i")
def delrule(call: Call) -> int:
    """Delete a rule."""
    _refuse_others(call, "MANAGE")
    rule = call.world.rules.things.get(call.i(0))
    if rule is None:
        raise OneError(INTERNAL, f"Rule {call.i(0)} does not exist")
    call.world.rules.remove(rule)
    return rule.id


@method("one.acl.info")
def info(call: Call) -> str:
    """All rules, sorted by user."""
    _refuse_others(call, "MANAGE")
    rules = sorted(call.world.rules, key=lambda r: (r.user, r.id))
    return pool_xml("ACL_POOL", (_rule_xml(rule) for rule in rules))


def _rule_xml(rule: Rule) -> str:
    return (
        "<ACL>"
        + plain("ID", rule.id)
        + plain("USER", f"{rule.user:x}")
        + plain("RESOURCE", f"{rule.resource:x}")
        + plain("RIGHTS", f"{rule.rights:x}")
        + plain("ZONE", f"{rule.zone:x}")
        + plain("STRING", acl.text(rule))
        + "</ACL>"
    )
