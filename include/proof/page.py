"""The page of a day for people: one HTML file that needs nothing but a browser."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from html import escape

from include.proof.document import Proof, ServiceProof, VmProof

_STYLE = """
body{font:15px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:78rem;padding:0 1rem}
body{color:#1c2430}
h1{font-size:1.5rem} h2{font-size:1.1rem;margin-top:2rem} table{border-collapse:collapse;width:100%}
th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #d8dee6;vertical-align:top}
th{font-weight:600;color:#4a5666} code{font-size:.85em;overflow-wrap:anywhere}
.good{color:#17692f} .bad{color:#a3161f;font-weight:600} .dim{color:#66717f}
@media(prefers-color-scheme:dark){body{background:#14181e;color:#dfe5ec}th,td{border-color:#313a45}
th,.dim{color:#95a1af}.good{color:#6bcf86}.bad{color:#ff8a8f}}
"""
_GOOD = ("rotated", "left out")


def page(proof: Proof) -> str:
    """Return the page of one day."""
    return "\n".join(_lines(proof)) + "\n"


def _lines(proof: Proof) -> Iterator[str]:
    title = f"Rotation of {escape(proof.day)}"
    yield '<!doctype html><html lang="en"><head><meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width">'
    yield f"<title>{title}</title><style>{_STYLE}</style></head><body>"
    yield f"<h1>{title}</h1>"
    yield from _summary(proof)
    yield from _services(proof.services)
    yield from _exceptions(proof)
    yield from _vms(proof.vms)
    yield f'<p class="dim">Written {_time(proof.written)} by run <code>{escape(proof.run.run_id)}'
    yield f"</code>. {_before(proof)}</p></body></html>"


def _summary(proof: Proof) -> Iterator[str]:
    done = sum(service.state == "rotated" for service in proof.services)
    yield f"<p>{done} of {len(proof.services)} services were rotated; {len(proof.vms)} VMs run.</p>"
    if proof.objections:
        yield f'<p class="bad">Not a good day: {len(proof.objections)} things are wrong.</p><ul>'
        yield from (f"<li>{escape(text)}</li>" for text in proof.objections)
        yield "</ul>"
    else:
        yield '<p class="good">Every VM was rebuilt in time, or has an exception.</p>'
    gate = proof.gate
    yield f"<p>Health gates said no to {gate.today.said_no} of {gate.today.asked} rotations today"
    yield f" ({gate.in_all.said_no} of {gate.in_all.asked} in all), although nothing was new.</p>"


def _services(services: Sequence[ServiceProof]) -> Iterator[str]:
    rows = [
        (
            escape(service.name),
            _mark(service.state, good=service.state in _GOOD),
            escape(service.reason),
            _code(service.run.run_id if service.run else ""),
        )
        for service in services
    ]
    yield from _table("Services", ("service", "rotation", "why", "run"), rows)


def _exceptions(proof: Proof) -> Iterator[str]:
    rows = [
        (
            *(escape(part) for part in (e.service, e.kind, e.reason, e.owner)),
            escape(e.expires or "—"),
        )
        for e in proof.exceptions
    ]
    if rows:
        yield from _table("Exceptions", ("service", "kind", "why", "owner", "expires"), rows)


def _vms(vms: Sequence[VmProof]) -> Iterator[str]:
    head = ("VM", "rebuilt", "instead of", "Puppet", "monitoring", "balancer", "differences")
    yield from _table("VMs", head, [_vm(vm) for vm in vms])


def _vm(vm: VmProof) -> tuple[str, ...]:
    made = f"<br>{_code(vm.run.run_id)}" if vm.run else '<br><span class="bad">no evidence</span>'
    names = f"{escape(vm.name)}<br>{_dim(f'VM {vm.vm_id}, release {vm.release}')}"
    old = f"{escape(vm.predecessor or '')}<br>{_dim(f'VM {vm.predecessor_vm_id}')}"
    return (
        names,
        _time(vm.rebuilt) + made,
        old if vm.predecessor else "",
        _puppet(vm),
        _monitoring(vm),
        _balancer(vm),
        _differences(vm),
    )


def _puppet(vm: VmProof) -> str:
    if vm.puppet is None:
        return ""
    ids = f"{vm.puppet.report_hash[:12]} {vm.puppet.transaction_uuid}"
    told = _mark(vm.puppet.status, good=vm.puppet.status != "failed")
    return f"{told}<br>{_code(ids)}<br>{_code((vm.certificate or '')[:23])}"


def _monitoring(vm: VmProof) -> str:
    if vm.monitoring is None:
        return ""
    if vm.monitoring.well:
        return _mark(f"{len(vm.monitoring.checks)} checks well", good=True)
    sick = [f"{name} {state}" for name, state in vm.monitoring.checks.items() if state != "ok"]
    return _mark(", ".join(sick), good=False)


def _balancer(vm: VmProof) -> str:
    if vm.balancer is None:
        return ""
    times = [("joined", vm.balancer.joined), ("predecessor left", vm.balancer.predecessor_left)]
    told = [f"{what} {_time(when)}" for what, when in times if when]
    count = vm.balancer.client_failures
    if count is None:
        told.append(_dim("client failures not counted"))
    else:
        told.append(_mark(f"{count} client failures", good=not count))
    return "<br>".join(told)


def _differences(vm: VmProof) -> str:
    if vm.differences:
        return "<br>".join(escape(text) for text in vm.differences)
    return _dim("none" if vm.compared else "not compared")


def _table(title: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"<h2>{escape(title)}</h2><table><tr>"
    yield "".join(f"<th>{escape(cell)}</th>" for cell in head) + "</tr>"
    for row in rows:
        yield "<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>"
    yield "</table>"


def _mark(text: str, *, good: bool) -> str:
    return f'<span class="{"good" if good else "bad"}">{escape(text)}</span>'


def _dim(text: str) -> str:
    return f'<span class="dim">{escape(text)}</span>'


def _code(text: str) -> str:
    return f"<code>{escape(text)}</code>" if text else ""


def _time(when: datetime) -> str:
    return when.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _before(proof: Proof) -> str:
    if proof.previous is None:
        return "The chain of proofs begins here."
    return f"Chained to {escape(proof.previous.day)}, {_code(proof.previous.hash)}."
