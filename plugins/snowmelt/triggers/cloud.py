"""Waits for OpenNebula; those for VMs that came together share one call per interval."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from include.facts import CloudVm
from include.verdict import Verdict, failed
from include.waits import all_gone_verdict, boot_verdict, gone_verdict
from snowmelt.hooks.opennebula import OpenNebulaHook
from snowmelt.triggers.base import WaitTrigger
from snowmelt.triggers.snapshot import shared

# the scheduler of a real oned works in windows of 10 s: asking more often than this is pointless
INTERVAL_S = 2.0
# VMs that are waited for at one time have ids that are near each other: a look reads one block of
# ids, or two, and not a fleet. 1,000 VMs every 2 s were a tenth of a core.
BLOCK = 256


@dataclass(kw_only=True, eq=False, repr=False)
class _CloudTrigger(WaitTrigger):
    conn_id: str
    interval: float = INTERVAL_S

    async def block(self, number: int) -> Sequence[CloudVm]:
        cloud, first = OpenNebulaHook(self.conn_id), number * BLOCK
        return await shared(
            ("vms", self.conn_id, number),
            self.interval / 2,
            lambda: cloud.vm_states(first, first + BLOCK - 1),
        )

    async def those(self, vm_ids: Collection[int]) -> list[CloudVm]:
        found: list[CloudVm] = []
        for number in sorted({vm_id // BLOCK for vm_id in vm_ids}):
            found += [vm for vm in await self.block(number) if vm.vm_id in vm_ids]
        return found

    async def one(self, vm_id: int) -> CloudVm | None:
        return next(iter(await self.those([vm_id])), None)


@dataclass(kw_only=True, eq=False, repr=False)
class VmRunningTrigger(_CloudTrigger):
    """Wait until a VM runs; a VM that was there and has gone will never run."""

    name: str
    vm_id: int
    seen: bool = field(default=False, init=False)

    async def check(self) -> Verdict:
        vm = await self.one(self.vm_id)
        if vm is None and self.seen:
            return failed(f"{self.name} (VM {self.vm_id}) was terminated by somebody")
        self.seen = vm is not None
        return boot_verdict(self.name, vm)


@dataclass(kw_only=True, eq=False, repr=False)
class VmGoneTrigger(_CloudTrigger):
    """Wait until OpenNebula has removed a VM."""

    name: str
    vm_id: int

    async def check(self) -> Verdict:
        return gone_verdict(self.name, await self.one(self.vm_id))


@dataclass(kw_only=True, eq=False, repr=False)
class AllVmsGoneTrigger(_CloudTrigger):
    """Wait until none of these VMs is left."""

    vm_ids: list[int]

    async def check(self) -> Verdict:
        return all_gone_verdict(self.vm_ids, await self.those(self.vm_ids))
