"""What instantiate is refused for, and by which code."""

import pytest

from tests.lab_opennebula.conftest import Front

TAKEN = 'NIC=[NETWORK="net",IP="192.168.0.9"]'


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ('DISK=[IMAGE="nope"]', "does not own an image with name: nope"),
        ('NIC=[NETWORK="nope"]', "does not own a network with name: nope"),
        ('CPU="-1"', "CPU attribute must be a positive float or integer value."),
        ('MEMORY="lots"', "MEMORY attribute must be a positive integer value."),
        (TAKEN, "Cannot get IP/MAC lease from virtual network 0."),
    ],
)
def test_what_is_lacking_is_allocate(front: Front, extra: str, words: str) -> None:
    """0x4000, the code that pyone does not know; what was taken is given back."""
    front.do("one.vn.hold", 0, 'LEASES=[IP="192.168.0.9"]')

    code, text = front.refused("one.template.instantiate", 0, "x", True, extra, False)

    assert code == 0x4000
    assert words in text
    assert "<USED_LEASES>1<" in front.do("one.vn.info", 0)
    assert "<RUNNING_VMS>0<" in front.do("one.image.info", 0)


def test_network_runs_out_of_addresses(front: Front) -> None:
    """By the switch, once; the real end of a range is in test_leases."""
    front.switches.set("out-of-leases", "lease", times=1)

    assert front.refused("one.template.instantiate", 0, "x", True, "", False)[0] == 0x4000
    front.vm(hold=True)


def _as_user(front: Front) -> int:
    group = front.do("one.group.allocate", "automation")
    user = int(front.do("one.user.allocate", "airflow", "pw", "core", [group]))
    front.session = "airflow:pw"
    return user


def test_user_without_rights_is_told_all_of_them(front: Front) -> None:
    """One message names everything that is missing."""
    user = _as_user(front)

    code, text = front.refused("one.template.instantiate", 0, "x", True, "", False)

    assert code == 0x200
    assert text.endswith(
        f"User [{user}] : Not authorized to perform USE TEMPLATE [0]; "
        "Not authorized to perform USE IMAGE [0]."
    )


def test_least_rights_for_automation(front: Front) -> None:
    """USE of template and image is enough, until there is an extra template."""
    admin, user = front.session, _as_user(front)
    front.session = admin
    front.do("one.template.chmod", 0, -1, -1, -1, -1, -1, -1, 1, -1, -1)
    front.do("one.template.update", 0, 'DISK=[IMAGE_ID="0"] NIC=[NETWORK_ID="0"]', 1)
    rule = (f"{0x100000000 + user:x}", "8400000000", "1", "400000000")
    front.do("one.acl.addrule", *rule)
    assert front.refused("one.acl.addrule", *rule)[0] == 0x2000
    front.session = "airflow:pw"

    vm = front.vm(hold=True)
    assert front.refused("one.template.instantiate", 0, "x", True, 'A="1"', False) == (
        0x200,
        f"[one.template.instantiate] User [{user}] : Not authorized to perform CREATE TEMPLATE.",
    )
    assert front.refused("one.vm.recover", vm, 3)[0] == 0x200
    front.do("one.vm.action", "terminate", vm)


def test_quota_stops_the_second_vm(front: Front) -> None:
    """0x0200 with "limit of"; VMs on HOLD count."""
    admin, user = front.session, _as_user(front)
    front.session = admin
    front.do("one.template.chmod", 0, -1, -1, -1, -1, -1, -1, 1, -1, -1)
    front.do("one.template.update", 0, 'DISK=[IMAGE_ID="0"] NIC=[NETWORK_ID="0"]', 1)
    front.do("one.acl.addrule", f"{0x100000000 + user:x}", "8400000000", "1", "400000000")
    front.do("one.user.quota", user, 'VM=[VMS="1"]')
    front.session = "airflow:pw"
    front.vm(hold=True)

    code, text = front.refused("one.template.instantiate", 0, "x", True, "", False)

    assert code == 0x200
    assert text.endswith(f"user [{user}] limit of 1 reached for VMS quota in VM.")


def test_login_token_works_as_password(front: Front) -> None:
    """Until it is reset."""
    _as_user(front)
    token = front.do("one.user.login", "airflow", "", 60, -1)
    front.session = f"airflow:{token}"

    assert "<NAME>airflow<" in front.do("one.user.info", -1)
    front.do("one.user.login", "airflow", token, 0, -1)
    assert front.refused("one.user.info", -1)[0] == 0x100
