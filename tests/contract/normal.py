"""What may differ between two clouds, or two runs, that behave the same.

Everything not named here is compared as it stands. Each rule keeps what carries meaning: a time is
"never" or "some time", an id is "none" or "the very object that the recording meant".
"""

from __future__ import annotations

import re
from collections.abc import Callable


def _tags(text: str) -> frozenset[str]:
    return frozenset(text.split())


TIMES = _tags(
    """STIME ETIME PSTIME PETIME RSTIME RETIME ESTIME EETIME REGTIME MODTIME TIMESTAMP
    EXPIRATION_TIME TIME"""
)
# LAST_POLL comes with a probe; PLAN_ID and ACTION_ID depend on who placed the VM and on how
# far the planner's answer has come.
NUMBERS = _tags(
    """REQUEST_ID REQ_ID PORT NEXT_INDEX RUNNING_VMS USED_LEASES ORIGINAL_SIZE
    TOTAL_MB FREE_MB USED_MB SYSTEM_DISK_SIZE_USED"""
)
EITHER_SIGN = _tags("LAST_POLL LAST_MON_TIME PLAN_ID ACTION_ID TOTAL_MB FREE_MB USED_MB NEXT_INDEX")
IDS = _tags(
    """ID UID GID OID HID CID DS_ID VMID CLUSTER_ID TEMPLATE_ID CREATED_BY DATASTORE_ID IMAGE_ID
    NETWORK_ID SECURITY_GROUP_ID SECURITY_GROUPS PARENT_ID PARENT_NETWORK_ID VM VNET OWNER
    RESOURCE_ID"""
)
# Chosen by the site's drivers, hosts and settings, or random.
SITE = _tags(
    """HOSTNAME REMOTE_HOST VM_MAD TM_MAD IM_MAD DS_MAD TM_MAD_SYSTEM DRIVER FORMAT SOURCE
    DATASTORE DISK_TYPE CLONE_TARGET LN_TARGET UUID ONEGATE_ENDPOINT CLUSTER PASSWORD
    TOKEN_PASSWORD AUTOMATIC_REQUIREMENTS AUTOMATIC_DS_REQUIREMENTS AUTOMATIC_NIC_REQUIREMENTS
    DEPLOY_ID ERROR BASE_PATH ALLOW_ORPHANS PERSISTENT_SNAPSHOTS BRIDGE_TYPE"""
)
ANYTHING = _tags("ALLOCATED SSH_PUBLIC_KEY VLAN_RULES")
OPAQUE = _tags("MONITORING LOGIN_TOKEN HOST_SHARE")
# Lists whose length depends on what else lives there: compared as the set of members' shapes.
COLLAPSED = _tags(
    """LEASES VMS CLUSTERS IMAGES UPDATED_VMS OUTDATED_VMS UPDATING_VMS ERROR_VMS USERS GROUPS"""
)

_MAC = re.compile(r"\b(?:[0-9a-f]{2}:){5}[0-9a-f]{2}\b")
_IP = re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b")
_DATE = re.compile(r"^\w{3} \w{3} +\d+ \d\d:\d\d:\d\d \d{4}: ")
_PARSE_ERROR = re.compile(r"Parse error:.*", re.DOTALL)
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_LIST = re.compile(r"N(?:,N)+")


def addresses(text: str) -> str:
    """MAC and IPv4 addresses replaced by their kind (MACs stay lower case or do not match)."""
    return _IP.sub("IP", _MAC.sub("MAC", text))


def message(text: str) -> str:
    """An error or scheduler message without ids, figures, and the parser's random line number.

    >>> message("[one.vm.info] Error getting virtual machine [99999].")
    '[one.vm.info] Error getting virtual machine [N].'
    """
    text = _PARSE_ERROR.sub("Parse error: ...", addresses(text))
    return _LIST.sub("N", _NUMBER.sub("N", _DATE.sub("DATE: ", text)))


def leaf(tag: str, text: str) -> str:
    """A leaf's text in the form in which two clouds are compared (ids apart)."""
    for tags, form in FORMS:
        if tag in tags:
            return form(text)
    return addresses(text)


def _signed(text: str) -> str:
    """Zero, negative or positive, or the text itself when it is no number."""
    if not re.fullmatch(r"-?\d+(\.\d+)?", text):
        return text
    number = float(text)
    return "0" if number == 0 else "negative" if number < 0 else "positive"


def _kinds_of_rule(text: str) -> str:
    """A part of an ACL rule: kinds above bit 32, an id below."""
    return hex(int(text, 16) >> 32)


FORMS: tuple[tuple[frozenset[str], Callable[[str], str]], ...] = (
    (ANYTHING, lambda _text: "*"),
    (EITHER_SIGN, lambda text: "number" if re.fullmatch(r"-?\d+", text) else text),
    (TIMES | NUMBERS, _signed),
    (SITE, lambda text: "site" if text else ""),
    (_tags("SCHED_MESSAGE STRING"), message),
    (_tags("USER RESOURCE"), _kinds_of_rule),
    (_tags("TARGET"), lambda text: _NUMBER.sub("N", text)),
)
