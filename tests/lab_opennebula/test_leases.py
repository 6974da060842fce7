"""Address ranges."""

import pytest

from lab.opennebula.attrs import Attrs
from lab.opennebula.errors import OneError
from lab.opennebula.leases import hold, let_go, new_range, reserve, take, take_next
from lab.opennebula.model import Vnet


def _net(size: int = 3, **vector: str) -> Vnet:
    net = Vnet(id=0, name="n", uid=0, gid=0)
    net.ranges = [new_range(0, {"TYPE": "IP4", "IP": "192.168.0.7", "SIZE": str(size), **vector})]
    return net


def test_mac_is_the_prefix_and_the_address() -> None:
    """192.168.0.7 is 02:00:c0:a8:00:07, and lease n adds n to both."""
    net = _net()

    leases = [take_next(net, ("VM", n)) for n in range(2)]

    assert leases[0] == {"AR_ID": "0", "IP": "192.168.0.7", "MAC": "02:00:c0:a8:00:07"}
    assert leases[1] == {"AR_ID": "0", "IP": "192.168.0.8", "MAC": "02:00:c0:a8:00:08"}


def test_leases_go_round() -> None:
    """A freed address is not the next one given."""
    net = _net()
    take_next(net, ("VM", 1))
    net.ranges[0].leases.clear()

    assert (take_next(net, ("VM", 2)) or {})["IP"] == "192.168.0.8"


def test_full_range_has_no_lease() -> None:
    """Nothing is left after the last one."""
    net = _net(size=1)

    assert take_next(net, ("VM", 1)) is not None
    assert take_next(net, ("VM", 2)) is None


def test_requested_address_that_is_taken() -> None:
    """A requested address is given once, and does not move the next one."""
    net = _net()

    assert take(net, ("VM", 1), "192.168.0.9", "") is not None
    assert take(net, ("VM", 2), "192.168.0.9", "") is None
    assert net.ranges[0].next_index == 0


def test_hold_twice_fails_and_release_twice_does_not() -> None:
    """As recorded: 0x2000 for the second hold, success for the second release."""
    net, wanted = _net(), Attrs([("LEASES", {"IP": "192.168.0.8"})])
    hold(net, wanted)

    with pytest.raises(OneError, match="not part of the address range or in use") as caught:
        hold(net, wanted)

    assert caught.value.code == 0x2000
    let_go(net, wanted)
    let_go(net, wanted)
    assert net.ranges[0].leases == {}


def test_too_large_a_reservation() -> None:
    """More than there is in a row is 0x0800, and nothing is taken."""
    net, child = _net(), _net()
    child.ranges = []

    with pytest.raises(OneError, match="Not enough free addresses") as caught:
        reserve(net, child, Attrs([("SIZE", "4")]))

    assert caught.value.code == 0x0800
    assert net.ranges[0].leases == {}


def test_range_with_a_mac_of_its_own() -> None:
    """An explicit MAC breaks the rule."""
    net = _net(MAC="02:00:00:00:00:AA")

    assert (take_next(net, ("VM", 1)) or {})["MAC"] == "02:00:00:00:00:aa"
