"""one.template.instantiate: how the extra template is merged, and every way in which it fails."""

from tests.contract import worlds
from tests.contract.cloud import Cloud
from tests.contract.registry import Need, scenario


@scenario(Need.ADMIN)
def held_vm_gets_context_and_addresses(cloud: Cloud) -> None:
    """The product's first call: a VM on HOLD, with its address and expanded CONTEXT, then DONE."""
    worlds.template(cloud)
    cloud.do("templates/20-instantiate-hold")
    cloud.do("vm-states/01-hold")
    cloud.do_all("vm-actions/01-terminate-held", "vm-actions/02-terminate-done")
    cloud.do("vm-states/02-done-never-deployed")
    cloud.do("vm-actions/03-poweroff-done")


@scenario(Need.ADMIN)
def two_vms_may_have_one_name(cloud: Cloud) -> None:
    """Names of VMs are not unique: the reason for the product's hold-and-look-for-twins."""
    worlds.template(cloud)
    cloud.do_all("templates/20-instantiate-hold", "templates/21-instantiate-duplicate-vm-name")
    ids = [cloud.known.ids["vm", recorded] for recorded in (2, 3)]
    assert ids[0] < ids[1], "ids of VMs must grow"
    if cloud.live:
        names = [cloud.document("one.vm.info", vm).value("NAME") for vm in ids]
        assert names == [f"{cloud.known.prefix}web-0"] * 2


@scenario(Need.ADMIN)
def empty_name_becomes_template_and_id(cloud: Cloud) -> None:
    """Two arguments are enough, an empty name is filled in, NAME in the extra template is not."""
    worlds.template(cloud)
    cloud.do_all(
        "templates/22-instantiate-empty-name",
        "templates/23-info-empty-name",
        "templates/24-instantiate-two-args-defaults",
        "templates/30-instantiate-name-in-extra",
    )
    if cloud.live:
        vm = cloud.known.ids["vm", 8]
        assert cloud.document("one.vm.info", vm).value("NAME") == f"{cloud.known.prefix}app-{vm}"


@scenario(Need.ADMIN)
def list_shows_what_was_instantiated(cloud: Cloud) -> None:
    """Eight VMs, each made differently, newest first in the short form."""
    worlds.template(cloud)
    cloud.do_all(
        "templates/20-instantiate-hold",
        "templates/21-instantiate-duplicate-vm-name",
        "templates/22-instantiate-empty-name",
        "templates/24-instantiate-two-args-defaults",
        "templates/25-instantiate-bad-extra",
        "templates/26-instantiate-extra-replaces-nic",
        "templates/30-instantiate-name-in-extra",
        "templates/31-instantiate-extra-context",
        "templates/32-vmpool-info",
    )


@scenario(Need.ADMIN)
def unbalanced_quote_is_taken_as_it_is(cloud: Cloud) -> None:
    """FOO=\"x without an end is no error in an instantiate."""
    worlds.template(cloud)
    cloud.do("templates/25-instantiate-bad-extra")
    if cloud.live:
        info = cloud.document("one.vm.info", cloud.known.ids["vm", 6])
        assert info.value("USER_TEMPLATE/FOO") == '"x'


@scenario(Need.ADMIN)
def extra_context_replaces_the_whole_context(cloud: Cloud) -> None:
    """CONTEXT in the extra template drops NETWORK, TOKEN, and with them the network set-up."""
    worlds.template(cloud)
    cloud.do("templates/31-instantiate-extra-context")
    if cloud.live:
        info = cloud.document("one.vm.info", cloud.known.ids["vm", 9])
        context = info.child("TEMPLATE/CONTEXT")
        assert context is not None
        tags = {child.tag for child in context.children}
        assert tags == {"DISK_ID", "FOO", "START_SCRIPT", "TARGET"}, tags


@scenario(Need.ADMIN)
def extra_template_as_xml_is_merged_alike(cloud: Cloud) -> None:
    """What the product sends: one XML document with a whole CONTEXT and its own attributes."""
    worlds.template(cloud)
    text = 'a "quoted" <b> & c\nsecond line'
    extra = (
        "<TEMPLATE><CONTEXT><SET_HOSTNAME><![CDATA[shop-0.lab.test]]></SET_HOSTNAME>"
        f"<NETWORK><![CDATA[YES]]></NETWORK><NOTE><![CDATA[{text}]]></NOTE></CONTEXT>"
        "<CPU><![CDATA[0.2]]></CPU><MEMORY><![CDATA[128]]></MEMORY>"
        "<SNOWMELT_SERVICE><![CDATA[shop]]></SNOWMELT_SERVICE></TEMPLATE>"
    )
    cloud.make_vm(2, "web-0", hold=True, extra=extra)
    if cloud.live:
        info = cloud.document("one.vm.info", cloud.known.ids["vm", 2])
        assert info.value("TEMPLATE/CONTEXT/NOTE") == text
        assert info.value("TEMPLATE/CONTEXT/SET_HOSTNAME") == "shop-0.lab.test"
        assert info.value("TEMPLATE/CONTEXT/TOKEN") is None
        assert info.value("TEMPLATE/CONTEXT/ETH0_IP") == info.value("TEMPLATE/NIC/IP")
        assert (info.value("TEMPLATE/CPU"), info.value("TEMPLATE/MEMORY")) == ("0.2", "128")
        assert info.value("USER_TEMPLATE/SNOWMELT_SERVICE") == "shop"


@scenario(Need.ADMIN)
def address_asked_for_is_given_once(cloud: Cloud) -> None:
    """A requested IP is given, its second taker fails, and after DONE it is free at once."""
    worlds.template(cloud)
    cloud.do_all("templates/26-instantiate-extra-replaces-nic", "templates/27-instantiate-ip-taken")
    if cloud.live:
        nic = cloud.document("one.vm.info", cloud.known.ids["vm", 7]).child("TEMPLATE/NIC")
        assert nic is not None
        assert nic.value("IP") == "192.168.0.15"
        assert nic.value("SECURITY_GROUPS") == "0"  # the template's went with its NIC
    cloud.ask("vm-actions/01-terminate-held", "terminate", 7)
    cloud.do("templates/26-instantiate-extra-replaces-nic")


@scenario(Need.ADMIN)
def what_is_lacking_makes_instantiate_fail(cloud: Cloud) -> None:
    """Unknown image or network, bad CPU or MEMORY: all 0x4000."""
    worlds.template(cloud)
    worlds.tiny(cloud)
    cloud.do_all(
        "templates/28-instantiate-unknown-image",
        "templates/29-instantiate-unknown-net",
        "errors/09-negative-cpu",
        "errors/10-memory-text",
    )


@scenario(Need.ADMIN)
def network_of_two_addresses_serves_two_vms(cloud: Cloud) -> None:
    """The third VM finds no lease; the network cannot be deleted under the other two."""
    worlds.tiny(cloud)
    worlds.two_addresses(cloud)
    cloud.do_all(
        "errors/01-out-of-leases",
        "errors/02-out-of-leases",
        "errors/03-out-of-leases-third",
        "errors/04-vnet-delete-in-use",
    )


@scenario(Need.ADMIN)
def mandatory_input_may_be_left_out(cloud: Cloud) -> None:
    """oned does not enforce USER_INPUTS: the CONTEXT value is just empty."""
    cloud.do_all(
        "templates/33-allocate-mandatory-user-input",
        "templates/34-instantiate-without-mandatory-input",
        "templates/35-info-without-mandatory-input",
    )


@scenario(Need.ADMIN, Need.NO_ONEGATE)
def token_without_onegate_fails(cloud: Cloud) -> None:
    """CONTEXT/TOKEN needs ONEGATE_ENDPOINT in oned.conf."""
    worlds.template(cloud)
    cloud.do("templates/19-instantiate-token-without-onegate-endpoint")


@scenario(Need.ADMIN, Need.HOSTS)
def vm_ends_itself_at_its_time(cloud: Cloud) -> None:
    """SCHED_ACTION with a relative time: oned terminates the VM, whoever made it is gone."""
    worlds.tiny(cloud)
    cloud.do_all("templates/36-instantiate-with-sched-action", "vm-states/41-info-with-ttl")
    if cloud.live:
        vm = cloud.known.ids["vm", 2258]
        info = cloud.document("one.vm.info", vm)
        made, end = info.value("STIME"), info.value("TEMPLATE/SCHED_ACTION/TIME")
        assert int(end or 0) - int(made or 0) == 25
    cloud.place(2258)
    cloud.until("vm-states/42-terminated-by-sched-action")
