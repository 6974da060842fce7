"""Pools read without pyone's classes are the same pools."""

from __future__ import annotations

import pytest
from pyone import bindings

from snowmelt.hooks.one_pool import pool_vms
from snowmelt.hooks.one_records import cloud_vm
from tests.plugins.snowmelt.hooks.fake_one import recorded_value


@pytest.mark.parametrize("name", ["vm-pool_03-vmpool-info", "vm-pool_04-vmpool-infoextended"])
def test_a_recorded_pool_is_read_as_pyone_reads_it(name: str) -> None:
    """Short and extended form: names, states, addresses, hosts, attributes, contexts."""
    xml = recorded_value(name)

    found = list(pool_vms(xml))

    assert found == [cloud_vm(vm) for vm in bindings.parseString(xml.encode()).VM]
    assert len(found) > 2


def test_several_attributes_of_one_name_are_all_there() -> None:
    """Two network cards: a pool with one of them says nothing about the second address."""
    nics = "".join(f"<NIC><IP>10.0.0.{number}</IP></NIC>" for number in (1, 2, 3))
    fields = "<ID>1</ID><NAME>a</NAME><STATE>3</STATE><LCM_STATE>3</LCM_STATE><STIME>0</STIME>"
    xml = f"<VM_POOL><VM>{fields}<TEMPLATE>{nics}</TEMPLATE></VM></VM_POOL>"

    (vm,) = pool_vms(xml)

    assert vm.addresses == ("10.0.0.1", "10.0.0.2", "10.0.0.3")


def test_an_empty_pool_has_no_vms() -> None:
    assert list(pool_vms("<VM_POOL></VM_POOL>")) == []
