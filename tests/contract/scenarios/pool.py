"""one.vmpool.*: short and long form, filters, pages, sets of ids."""

from tests.contract import tree, worlds
from tests.contract.cloud import Cloud
from tests.contract.registry import Need, scenario


def _pool(cloud: Cloud) -> None:
    """Three running VMs on a network without addresses, and a held one, as recorded."""
    worlds.template(cloud)
    worlds.tiny(cloud)
    worlds.ethernet(cloud)
    extra = 'POOL="blue"\nNIC=[NETWORK_ID="4"]'
    for index in range(3):
        cloud.make_vm(25 + index, f"pool-{index}", extra=extra)
    cloud.make_vm(28, "pool-held", template=2, hold=True, extra='POOL="green"')
    for vm in (25, 26, 27):
        cloud.place(vm)
    for vm in (25, 26, 27):
        cloud.until_state(vm, 3, 3)


@scenario(Need.ADMIN, Need.HOSTS)
def lists_are_short_unless_asked_otherwise(cloud: Cloud) -> None:
    """The short form hides our own attributes; infoextended and infoset show them."""
    _pool(cloud)
    cloud.do_all(
        "vm-pool/03-vmpool-info",
        "vm-pool/04-vmpool-infoextended",
        "vm-pool/05-vmpool-infoset",
        "vm-pool/06-vmpool-infoset-short",
        "vm-pool/07-vmpool-infoset-with-missing",
        "vm-pool/09-vmpool-infoset-empty",
        "vm-pool/21-vmpool-four-args-only",
        "vm-pool/28-vm-info-with-monitoring",
        "vm-pool/22-vm-monitoring",
    )
    cloud.do("vnets/30-info-with-leases")


@scenario(Need.ADMIN, Need.HOSTS)
def lists_are_filtered_and_paged(cloud: Cloud) -> None:
    """By state, by page from an offset, by range of ids; never by an expression on sqlite."""
    _pool(cloud)
    cloud.do_all(
        "vm-pool/10-vmpool-filter-state-active",
        "vm-pool/11-vmpool-filter-state-hold",
        "vm-pool/12-vmpool-filter-state-any",
        "vm-pool/16-vmpool-page-0-2",
        "vm-pool/17-vmpool-page-2-2",
        "vm-pool/18-vmpool-range-id",
        "vm-pool/19-vmpool-from-id",
        "vm-pool/13-vmpool-filter-userattr",
        "vm-pool/14-vmpool-filter-kv",
        "vm-pool/15-vmpool-filter-xpath",
    )
    page = cloud.ask("vm-pool/16-vmpool-page-0-2", -2, 0, -2, -1)
    assert len(tree.parse(page.value).children) == 2
    if cloud.live:
        beyond = cloud.document("one.vmpool.info", -2, 1_000_000, -5, -1)
        assert beyond.children == []


@scenario(Need.ADMIN)
def sets_of_ids_include_the_dead(cloud: Cloud) -> None:
    """infoset returns DONE VMs too, newest first; the plain list does not."""
    worlds.tiny(cloud)
    for vm in (10, 25):
        cloud.make_vm(vm, f"vm-{vm}", template=2, hold=True)
    cloud.ask_action("vm-actions/01-terminate-held", "terminate", 10)
    cloud.until_state(10, 6)
    answer = cloud.ask("vm-pool/08-vmpool-infoset-done", "10,25", True)
    root = tree.parse(answer.value)
    ids = [int(vm.value("ID") or -1) for vm in root.children]
    assert ids == [cloud.known.ids["vm", 25], cloud.known.ids["vm", 10]]
    assert root.children[1].value("STATE") == "6"


@scenario(Need.ADMIN)
def monitoring_of_a_held_vm_is_empty_or_whole(cloud: Cloud) -> None:
    """A VM that no probe has seen yet has no records; with records each has all fields."""
    worlds.tiny(cloud)
    cloud.make_vm(28, "pool-held", template=2, hold=True)
    answer = cloud.ask("vm-pool/26-vm-monitoring-of-held", 28)
    for record in tree.parse(answer.value).children:
        assert record.value("ID") == str(cloud.known.ids["vm", 28])
