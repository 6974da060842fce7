"""From the XML of a VM pool to facts, without pyone's classes.

pyone makes an object of each element, which takes three times as long: 0.2 s for a thousand VMs in
short form, 0.5 s in the extended one, and every guard of every task looks at the pool.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any
from xml.etree.ElementTree import Element, fromstring

from include.facts import CloudVm
from snowmelt.hooks.one_records import cloud_vm


def pool_vms(xml: str) -> Iterator[CloudVm]:
    """Yield the VMs of a `<VM_POOL>`, as `cloud_vm` shows them."""
    # oned writes no DTD, so what a guest puts into an attribute cannot declare an entity
    for vm in fromstring(xml).iterfind("VM"):  # noqa: S314
        yield cloud_vm(_Vm(vm))


class _Vm:
    """One `<VM>` with the attributes that pyone would give it."""

    def __init__(self, vm: Element) -> None:
        self._vm = vm

    def __getattr__(self, name: str) -> str:
        return self._vm.findtext(name) or ""

    @property
    def TEMPLATE(self) -> dict[str, Any]:  # noqa: N802
        return _attributes(self._vm.find("TEMPLATE"))

    @property
    def USER_TEMPLATE(self) -> dict[str, Any]:  # noqa: N802
        return _attributes(self._vm.find("USER_TEMPLATE"))

    @property
    def HISTORY_RECORDS(self) -> SimpleNamespace:  # noqa: N802
        hosts = self._vm.iterfind("HISTORY_RECORDS/HISTORY/HOSTNAME")
        return SimpleNamespace(HISTORY=[SimpleNamespace(HOSTNAME=host.text) for host in hosts])


def _attributes(element: Element | None) -> dict[str, Any]:
    """Return a template: text (None where it is empty), a dict for a vector, a list of several."""
    found: dict[str, Any] = {}
    for child in element if element is not None else ():
        value: Any = _attributes(child) if len(child) else child.text
        if child.tag not in found:
            found[child.tag] = value
        elif isinstance(found[child.tag], list):
            found[child.tag].append(value)
        else:
            found[child.tag] = [found[child.tag], value]
    return found
