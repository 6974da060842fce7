"""Virtual networks: address ranges, the rule of MAC addresses, leases, reservations."""

import re

from tests.contract import tree, worlds
from tests.contract.cloud import Cloud
from tests.contract.registry import Need, scenario
from tests.contract.wire import Answer


@scenario(Need.ADMIN)
def addresses_are_held_and_released(cloud: Cloud) -> None:
    """A held address is a lease of VM -1; holding it twice fails, releasing it twice does not."""
    worlds.empty_network(cloud)
    cloud.do("vnets/04-allocate-duplicate-name")
    cloud.do("vnets/05-hold")
    held = cloud.do("vnets/06-info-held")
    _macs_follow_the_rule(held)
    cloud.do_all(
        "vnets/07-hold-again",
        "vnets/08-hold-outside",
        "vnets/09-release",
        "vnets/10-release-not-held",
    )
    cloud.do_all("vnets/22-update-append", "vnets/23-delete-missing")


@scenario(Need.ADMIN)
def part_of_a_network_is_reserved(cloud: Cloud) -> None:
    """A reservation is a network of its own that names its parent."""
    worlds.empty_network(cloud)
    cloud.do("vnets/11-reserve-new-vnet")
    cloud.at_once("vnets/12-info-reservation")
    cloud.do_all(
        "vnets/13-info-parent",
        "vnets/14-reserve-from-ip",
        "vnets/15-reserve-into-existing",
        "vnets/16-reserve-too-many",
        "vnets/18-delete-reservation-1",
        "vnets/19-add-ar",
        "vnets/20-info-two-ars",
        "vnets/21-rm-ar",
        "vnets/17-delete-reservation",
    )
    for recorded in (1, 2):
        cloud.made.remove(("vnet", cloud.known.ids["vnet", recorded]))


@scenario(Need.ADMIN)
def networks_are_made_and_listed(cloud: Cloud) -> None:
    """An ETHER range has MACs and no IPs; the list has the short form of ranges, newest first."""
    worlds.network(cloud)
    worlds.ethernet(cloud)
    worlds.two_addresses(cloud)
    # tiny-net was listed before its driver had answered: LOCKED, without a range.
    del cloud.known.ids["vnet", 5]
    cloud.do("vnets/27-vnpool-info", ignore=("ALLOCATED", "NEXT_INDEX"))
    cloud.do_all("vnets/28-allocate-no-vn-mad", "vnets/29-allocate-bad-template")


def _macs_follow_the_rule(answer: Answer) -> None:
    """MAC_PREFIX and the four octets of the IP: only so can an address be read from a MAC."""
    pairs = [(node.value("MAC"), node.value("IP")) for node in tree.parse(answer.value).walk()]
    pairs = [(mac, ip) for mac, ip in pairs if mac and ip]
    assert pairs
    for mac, ip in pairs:
        octets = ":".join(f"{int(part):02x}" for part in (ip or "").split("."))
        assert re.fullmatch(f"[0-9a-f]{{2}}:[0-9a-f]{{2}}:{octets}", mac or ""), (mac, ip)
