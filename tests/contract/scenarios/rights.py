"""A user with few rights, as the product should be: refusals, quotas, tokens."""

from tests.contract import tree, worlds
from tests.contract.cloud import Cloud
from tests.contract.registry import Need, scenario


def _user(cloud: Cloud) -> None:
    """The user airflow in the group automation, with no right of its own; VM 16 is the admin's."""
    worlds.template(cloud)
    cloud.do_all("users/01-group-allocate", "users/02-user-allocate")
    cloud.make_vm(16, "upd-0", hold=True)


def _rights(cloud: Cloud) -> None:
    """The least rights with which the product works, as recorded."""
    cloud.do_all(
        "users/14-chmod-template",
        "users/16-acl-addrule-images-use",
        "users/18-acl-addrule-secgroup",
        "users/22-acl-addrule-create-template",
    )


@scenario(Need.ADMIN)
def user_without_rights_is_refused(cloud: Cloud) -> None:
    """0x0200 with all that is missing in the message; lists just show nothing."""
    _user(cloud)
    cloud.do_all(
        "users/03-user-info",
        "users/04-user-allocate-duplicate",
        "users/05-group-info",
        "users/06-self-info",
        "users/08-instantiate-denied",
        "users/09-template-info-denied",
        "users/10-vm-info-denied",
        "users/11-action-denied",
        "users/12-host-allocate-denied",
        "users/13-templatepool-info-sees-nothing",
    )
    _group_has_default_rights(cloud)
    for method, params in OTHERS.items():
        cloud.ask_denied(method, 16, *params)


def _group_has_default_rights(cloud: Cloud) -> None:
    """What a new group gets from the default VDC: hosts, networks, datastores; no CREATE."""
    rules = tree.parse(cloud.do("users/07-acl-info-after-group-create").value)
    who = f"@{cloud.known.ids['group', 100]} "
    texts = [rule.value("STRING") or "" for rule in rules.children]
    mine = [text.removeprefix(who) for text in texts if text.startswith(who)]
    assert mine == ["HOST/* MANAGE #0", "NET/* USE #0", "DATASTORE/* USE #0"]


OTHERS: dict[str, tuple[str | int, ...]] = {
    "one.vm.update": ("A=1", 1),
    "one.vm.updateconf": ("CONTEXT=[A=1]", 0),
    "one.vm.rename": ("a",),
    "one.vm.chmod": tuple([-1] * 9),
    "one.vm.schedadd": ('SCHED_ACTION=[ACTION="terminate",TIME="+9"]',),
    "one.vm.monitoring": (),
}


@scenario(Need.ADMIN)
def rights_are_given_one_by_one(cloud: Cloud) -> None:
    """Template, image, security group, CREATE TEMPLATE: each missing one is named."""
    _user(cloud)
    cloud.do_all("users/14-chmod-template", "users/15-instantiate-image-denied")
    cloud.do_all(
        "users/16-acl-addrule-images-use",
        "users/17-acl-addrule-net-use",
        "users/18-acl-addrule-secgroup",
        "users/19-acl-addrule-duplicate",
        "users/20-instantiate-extra-needs-create-template",
        "users/21-instantiate-without-extra",
        "users/22-acl-addrule-create-template",
        "users/23-acl-info",
        "users/24-instantiate-allowed",
        "users/25-instantiate-restricted-attr",
        "users/26-instantiate-by-foreign-image-name",
    )
    cloud.do("users/27-vm-info-own", ignore=("HISTORY_RECORDS",))
    cloud.do_all(
        "users/28-deploy-denied",
        "users/29-recover-denied",
        "users/30-resched-denied",
        "users/48-acl-delrule-missing",
    )


@scenario(Need.ADMIN)
def user_lists_only_its_own(cloud: Cloud) -> None:
    """-3 mine, -2 all that I may see, -4 my group's, >= 0 that user's."""
    _user(cloud)
    _rights(cloud)
    cloud.do_all("users/24-instantiate-allowed", "users/26-instantiate-by-foreign-image-name")
    # Until users/33 the VM waits in PENDING, which a scheduler ends within its window.
    cloud.do_all("users/31-vmpool-mine", "users/32-vmpool-all", "users/33-vmpool-group")
    one_user = cloud.ask("vm-pool/20-vmpool-of-user-2", 2, -1, -1, -1)
    assert f"{cloud.known.prefix}byname" in one_user.value
    assert f"{cloud.known.prefix}upd-0" not in one_user.value


@scenario(Need.ADMIN)
def token_works_as_password(cloud: Cloud) -> None:
    """one.user.login answers with 64 hexadecimal digits that open a session."""
    _user(cloud)
    cloud.token = cloud.do("users/34-login-token").value
    # Recorded when VMs had been counted; here the user has none yet.
    quotas = ("NETWORK_QUOTA", "VM_QUOTA", "IMAGE_QUOTA")
    cloud.do("users/35-call-with-token", ignore=("LOGIN_TOKEN", *quotas))


@scenario(Need.ADMIN)
def quotas_stop_an_instantiate(cloud: Cloud) -> None:
    """VMS, CPU, LEASES, of the user and of its group: 0x0200 with "limit of"."""
    _user(cloud)
    _rights(cloud)
    cloud.do_all("users/24-instantiate-allowed", "users/26-instantiate-by-foreign-image-name")
    cloud.do("users/36-quota-set")
    cloud.do("users/37-user-info-quota", only=("VM_QUOTA", "IMAGE_QUOTA"))
    cloud.do_all(
        "users/38-instantiate-second",
        "users/39-quota-exceeded-vms",
        "users/40-quota-set-cpu",
        "users/41-quota-exceeded-cpu",
        "users/42-quota-network-leases",
        "users/43-quota-exceeded-leases",
        "users/44-group-quota",
        "users/45-user-quota-off",
        "users/46-group-quota-exceeded",
        "users/47-group-quota-off",
    )


@scenario(Need.ADMIN)
def locked_vm_is_refused_even_to_the_admin(cloud: Cloud) -> None:
    """0x0200 "VM is locked" until it is unlocked."""
    worlds.tiny(cloud)
    cloud.make_vm(16, "upd-0", template=2, hold=True)
    cloud.do_all(
        "vm-update/13-lock", "vm-update/14-terminate-locked-by-admin", "vm-update/15-unlock-done"
    )
    cloud.ask_action("vm-actions/01-terminate-held", "terminate", 16)
