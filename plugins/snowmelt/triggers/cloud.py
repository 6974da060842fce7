"""Waits for OpenNebula. All of them share one `one.vmpool.info` per interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from include.facts import CloudVm
from include.verdict import Verdict, failed
from include.waits import all_gone_verdict, boot_verdict, gone_verdict
from snowmelt.hooks.opennebula import OpenNebulaHook
from snowmelt.triggers.base import WaitTrigger
from snowmelt.triggers.snapshot import shared

# the scheduler of a real oned works in windows of 10 s: asking more often than this is pointless
INTERVAL_S = 2.0


@dataclass(kw_only=True, eq=False, repr=False)
class _CloudTrigger(WaitTrigger):
    conn_id: str
    interval: float = INTERVAL_S

    async def pool(self) -> Sequence[CloudVm]:
        look = OpenNebulaHook(self.conn_id).vm_states
        return await shared(("vms", self.conn_id), self.interval / 2, look)

    async def one(self, vm_id: int) -> CloudVm | None:
        return next((vm for vm in await self.pool() if vm.vm_id == vm_id), None)


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
        return all_gone_verdict(self.vm_ids, await self.pool())
