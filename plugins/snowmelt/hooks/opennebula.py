"""OpenNebula: look at VMs, make one safely, let one go.

pyone over a transport of our own (`one_transport`). Facts about the API that shape this file:
names of VMs are not unique, `instantiate` has no idempotency token, every action is only accepted
and shows its result later, and a CONTEXT in the extra template replaces all of the template's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import Any
from xmlrpc.client import ServerProxy

from pyone.server_xrpc import OneServerXRPC

from include.facts import EVERY_VM, CloudVm, Scope, VmSpec
from include.inventory import Lease
from include.planner.names import HOSTNAME_MARK, RELEASE_MARK, SERVICE_MARK
from include.verdict import Outcome
from snowmelt.errors import Busy, Conflict, Missing, NotAllowed, Refused, Unreachable
from snowmelt.hooks.connection import ConnectedHook, tried
from snowmelt.hooks.one_pool import pool_vms
from snowmelt.hooks.one_records import cloud_vm, leases, service_of
from snowmelt.hooks.one_template import Value, template_xml
from snowmelt.hooks.one_transport import MAX_CONNECTIONS, Endpoint, OneTransport

_VISIBLE = -2  # filter flag: everything that this user may see
_ALL_IDS = (-1, -1)
_NEWEST = (0, -2)  # a page of two, newest first (vm-pool/16)
_NOT_DONE, _IN_ANY_STATE = -1, -2
# States in which oned refuses `terminate` because it is under way (vm-actions/34, 35).
_ON_ITS_WAY = frozenset({"ACTIVE/SHUTDOWN", "ACTIVE/EPILOG", "ACTIVE/CLEANUP_DELETE", "DONE"})


class OpenNebulaHook(ConnectedHook):
    """Talks to one OpenNebula front-end over XML-RPC.

    Connection: host is the address or the whole URI, login and password (or a login token),
    extra `verify` (true, false or a CA file) and `max_connections` (of this process, default 4).
    """

    default_conn_name = "snowmelt_opennebula"
    conn_type = "opennebula"
    hook_name = "OpenNebula"

    def __init__(self, conn_id: str = default_conn_name) -> None:
        super().__init__(conn_id)

    def test_connection(self) -> tuple[bool, str]:
        """Ask for the version, as the connection form's Test button does."""
        return tried(lambda: f"OpenNebula {self.version()}")

    def version(self) -> str:
        """Return oned's version (`one.system.version`)."""
        return str(self._one.system.version())

    def vms(self, service: str | None = None) -> tuple[CloudVm, ...]:
        """Return our VMs that are not DONE, lowest id first, in one extended call."""
        found = (
            vm
            for vm in self._read("infoextended", _VISIBLE, *_ALL_IDS, _NOT_DONE)
            if service_of(vm) is not None
        )
        return tuple(vm for vm in found if service is None or service_of(vm) == service)

    def vms_named(self, service: str, scope: Scope = EVERY_VM) -> tuple[CloudVm, ...]:
        """Return the VMs that are not DONE and have a name of *service*, whole, lowest id first."""
        return self._among(scope, lambda vm: service_of(vm) == service)

    def vm_states(self, since: int = 0, until: int = -1) -> tuple[CloudVm, ...]:
        """Return every VM we may see that is not DONE, without attributes and context.

        One short call: 2 kB for each VM, against 9 kB extended. *since*, *until*: those with a
        vm_id from the one to the other (vm-pool/18, 19); -1 is the last there is.
        """
        ids = _ALL_IDS if (since, until) == (0, -1) else (since, until)
        return self._read("info", _VISIBLE, *ids, _NOT_DONE)

    def next_id(self) -> int:
        """Return a vm_id that no VM has and that none lower than it will ever get.

        Of VMs that we may see; others make it lower than it could be, which does no harm.
        """
        newest = self._read("info", _VISIBLE, *_NEWEST, _IN_ANY_STATE)
        return newest[-1].vm_id + 1 if newest else 0

    def held_leases(self) -> tuple[Lease, ...]:
        """Return the addresses that serve no VM, of all networks that we may see.

        The list of networks has no leases, so this is one call more for each network in use. The
        pool is read after them: who has a lease by then and is not in it has ended.
        """
        nets = self._one.vnpool.info(_VISIBLE, *_ALL_IDS).VNET
        used = [int(net.ID) for net in nets if int(net.USED_LEASES)]
        taken = [lease for net_id in used for lease in leases(self._one.vn.info(net_id))]
        there = {vm.vm_id for vm in self.vm_states()} if taken else set()
        return tuple(
            lease for lease in taken if lease.vm_id not in there and self._has_ended(lease.vm_id)
        )

    def vm(self, vm_id: int) -> CloudVm:
        """Return one VM, also one that is DONE. `Missing` when the id was never given out."""
        return cloud_vm(self._one.vm.info(vm_id))

    def _has_ended(self, vm_id: int) -> bool:
        """Whether no such VM runs; one that we may not look at does for all we know."""
        try:
            return vm_id == -1 or self.vm(vm_id).phase == "done"
        except NotAllowed:
            return False
        except Missing:  # its record was purged
            return True

    def find(self, name: str, scope: Scope = EVERY_VM) -> tuple[CloudVm, ...]:
        """Return the VMs of this name that are not DONE, lowest id first, with their contexts."""
        return self._among(scope, lambda vm: vm.name == name)

    def _among(self, scope: Scope, wanted: Callable[[CloudVm], bool]) -> tuple[CloudVm, ...]:
        """Return the VMs of a scope that are not DONE and *wanted*, whole, lowest id first.

        One short call for those that came since, and one for the few that are left.
        """
        ids = {vm.vm_id for vm in self.vm_states(scope.since) if wanted(vm)} | scope.ids
        found = self._read("infoset", ",".join(map(str, sorted(ids))), True) if ids else ()
        return tuple(vm for vm in found if vm.phase != "done" and wanted(vm))

    def ensure_vm(self, spec: VmSpec) -> tuple[CloudVm, Outcome]:
        """Make the VM unless it exists; safe when run twice at once or after a lost answer.

        It is made on hold, where it runs nothing. Whoever then looks again sees every VM of that
        name with a lower id, so all who try keep the same one, and only that one is released.
        `Busy` while the VM of this name is being terminated; `Conflict` when it is not ours.
        """
        seen = self._ours(spec)
        outcome = Outcome.UNCHANGED if seen else Outcome.CREATED
        if not seen:
            self._instantiate(spec)
            seen = self._ours(spec)
        if not seen:
            raise Busy(f"{spec.name} was made and is not in the VM pool yet")
        kept, *twins = seen
        self._discard(twins)
        if kept.phase == "stopping":
            raise Busy(f"{kept.name} ({kept.vm_id}) is still being terminated: {kept.state}")
        if self.release(kept.vm_id) is Outcome.UNCHANGED:
            return kept, outcome
        self.log.info("released VM %s (%s)", kept.name, kept.vm_id)
        return self.vm(kept.vm_id), outcome

    def release(self, vm_id: int) -> Outcome:
        """Let a held VM be scheduled; `UNCHANGED` when it is not on hold any more."""
        if self.vm(vm_id).phase != "held":
            return Outcome.UNCHANGED
        try:
            self._one.vm.action("release", vm_id)
        except Busy:
            if self.vm(vm_id).phase == "held":
                raise
            return Outcome.UNCHANGED  # another try of the same task was faster
        return Outcome.CREATED

    def terminate(self, vm_id: int, hard: bool = False) -> Outcome:
        """Ask for a VM's end; `REMOVED` means accepted, its DONE shows later.

        *hard* pulls the plug, and is the way out for a guest that never shuts down (3/12).
        `Busy` in PROLOG and BOOT, where oned refuses; it passes by itself.
        """
        try:
            if self.vm(vm_id).phase == "done":
                return Outcome.UNCHANGED
            self._one.vm.action("terminate-hard" if hard else "terminate", vm_id)
        except Missing:
            return Outcome.UNCHANGED
        except Busy:
            if self.vm(vm_id).state not in _ON_ITS_WAY:
                raise
            return Outcome.UNCHANGED
        return Outcome.REMOVED

    @cached_property
    def _one(self) -> Any:
        server = OneServerXRPC(self._endpoint.uri, session=self._session)
        # pyone makes its transport itself and takes none: put ours in its place.
        server._ServerProxy__transport = OneTransport(self._endpoint)
        return server

    @cached_property
    def _endpoint(self) -> Endpoint:
        return Endpoint(
            uri=self._uri(),
            verify=self.verify(),
            max_connections=int(self.number("max_connections", MAX_CONNECTIONS)),
        )

    @property
    def _session(self) -> str:
        return f"{self.connection.login}:{self.connection.password}"

    def _read(self, form: str, *params: Any) -> tuple[CloudVm, ...]:
        """Return VMs of the pool, lowest id first, by `one.vmpool.<form>`."""
        transport = OneTransport(self._endpoint)
        with ServerProxy(self._endpoint.uri, transport=transport) as server:
            answer: Any = getattr(server.one.vmpool, form)(self._session, *params)
        return tuple(sorted(pool_vms(answer[1]), key=lambda vm: vm.vm_id))

    def _uri(self) -> str:
        host = self.host()
        if "://" in host:
            return host
        scheme = self.connection.schema or "http"
        return f"{scheme}://{host}:{self.connection.port or 2633}/RPC2"

    def _ours(self, spec: VmSpec) -> tuple[CloudVm, ...]:
        found = self.find(spec.name, spec.scope)
        for vm in found:
            # The CONTEXT is fixed when the VM is made; a guest cannot write it.
            mine = vm.owner == self.connection.login
            if not mine or vm.context.get(HOSTNAME_MARK) != spec.fqdn:
                raise Conflict(f"VM {vm.vm_id} of {vm.owner} has the name {spec.name}, is not ours")
        return found

    def _discard(self, twins: Iterable[CloudVm]) -> None:
        for twin in twins:
            if twin.phase == "held":  # it never ran: nobody can depend on it
                self.log.info("terminate twin %s (%s)", twin.name, twin.vm_id)
                self.terminate(twin.vm_id)

    def _instantiate(self, spec: VmSpec) -> None:
        template_id, context = self._template(spec.template)
        extra = template_xml(_extra(spec, context, self._network_ids(spec.networks)))
        try:
            vm_id = self._one.template.instantiate(template_id, spec.name, True, extra, False)
        except Unreachable:
            if not self.find(spec.name, spec.scope):
                raise
            self.log.warning("the answer to instantiate %s was lost, the VM exists", spec.name)
        else:
            self.log.info("made VM %s (%s) on hold", spec.name, vm_id)

    def _template(self, name: str) -> tuple[int, dict[str, str | None]]:
        pool = self._one.templatepool.info(_VISIBLE, *_ALL_IDS).VMTEMPLATE
        template = self._one.template.info(self._id_of("VM template", name, pool))
        return int(template.ID), dict(template.TEMPLATE.get("CONTEXT") or {})

    def _network_ids(self, names: tuple[str, ...]) -> tuple[int, ...]:
        if not names:
            return ()
        pool = self._one.vnpool.info(_VISIBLE, *_ALL_IDS).VNET
        return tuple(self._id_of("network", name, pool) for name in names)

    def _id_of(self, kind: str, name: str, pool: Iterable[Any]) -> int:
        """Names are unique per owner only: our own comes first, then the only one there is."""
        items = list(pool)
        named = [item for item in items if name == item.NAME]
        own = [item for item in named if self.connection.login == item.UNAME]
        if not named:
            there = ", ".join(sorted({str(item.NAME) for item in items})) or "none that we may use"
            raise Missing(f"OpenNebula has no {kind} {name!r}; there is: {there}")
        if not own and len(named) > 1:
            owners = ", ".join(str(item.UNAME) for item in named)
            raise Refused(f"several users have a {kind} {name!r}: {owners}")
        return int((own or named)[0].ID)


def _extra(
    spec: VmSpec, context: Mapping[str, str | None], network_ids: Iterable[int]
) -> dict[str, Value]:
    extra: dict[str, Value] = {
        "CPU": spec.cpu,
        "VCPU": spec.vcpu,
        "MEMORY": spec.memory_mb,
        "CONTEXT": {**context, **spec.context, HOSTNAME_MARK: spec.fqdn},
        SERVICE_MARK: spec.service,
        "SNOWMELT_ROLLOUT": spec.rollout,
        "SNOWMELT_SLOT": spec.slot,
        RELEASE_MARK: spec.release,
        "SNOWMELT_FQDN": spec.fqdn,
    }
    # Without NIC or DISK the template's own stay; with it they are all replaced.
    nics = [{"NETWORK_ID": network_id} for network_id in network_ids]
    end = {"ACTION": "terminate-hard", "TIME": spec.ends_at} if spec.ends_at else {}
    parts: dict[str, Value] = {"NIC": nics, "DISK": spec.disks, "SCHED_ACTION": end}
    return {**extra, **{name: some for name, some in parts.items() if some}}
