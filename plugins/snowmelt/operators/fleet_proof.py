"""Write the proof of the day: what was rebuilt, what was not, and the evidence."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowSkipException

from include.catalogue.fleet import Fleet
from include.fleet import Left, RotationPlan
from include.fleet.problems import for_nobody
from snowmelt.catalogue import readable_services, settled_fleet
from snowmelt.errors import Refused

if TYPE_CHECKING:
    from airflow.sdk import Context

    from include.proof import Proof
    from include.proof.assemble import Stamp
    from include.proof.document import ExceptionProof
    from snowmelt.proof.store import Store


class WriteProof(BaseOperator):
    """Write the day's proof, signed and chained to the one before, and a page for people.

    Fails, with the proof written, when a service was not rotated or a VM is too old. The same
    day's proof is written anew by a later try; once the next day is chained to it, never again.
    """

    template_fields: Sequence[str] = ("plan",)
    ui_color = "#e8f0fb"

    def __init__(self, *, plan: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.plan = plan

    def execute(self, context: Context) -> dict[str, Any]:
        if context["params"]["dry_run"]:
            raise AirflowSkipException("dry run")
        if not self.plan:
            raise Refused("there is no plan, so nothing was rotated")
        from snowmelt.proof.store import Store

        fleet, plan = settled_fleet(), self._plan(context)
        store = Store(fleet.proof.store)
        store.refuse_if_chained(plan.day)
        proof, unseen = self._proof(context, fleet, plan, store)
        head = self._write(fleet, proof, store, unseen)
        if proof.objections:
            raise Refused(f"{plan.day} is not a good day: " + "; ".join(proof.objections))
        return {"day": plan.day, "vms": len(proof.vms), "hash": head}

    def _plan(self, context: Context) -> RotationPlan:
        """Return the plan, without those that `rotate` was not to touch any more."""
        left = context["ti"].xcom_pull(task_ids="rotate", key="left") or []
        return RotationPlan.from_json(self.plan).without([Left(**each) for each in left])

    def _proof(
        self, context: Context, fleet: Fleet, plan: RotationPlan, store: Store
    ) -> tuple[Proof, Collection[str]]:
        """Return the proof, and the services whose VMs could not be seen, or may be hidden."""
        from include.proof.assemble import assemble
        from include.proof.judge import blind
        from include.proof.link import reasons_in
        from snowmelt.proof.look import findings

        services, broken = readable_services()
        before = reasons_in(store.proof(plan.day) or "")  # a run for some services wrote no others
        held = context["ti"].xcom_pull(task_ids="rotate", key="held") or {}
        found = findings(
            plan,
            services,
            held={**before, **held},
            broken=broken,
            store=store,
            patient=context["ti"].try_number <= context["ti"].max_tries,
        )
        notes = for_nobody(fleet, [*services, *broken], date.fromisoformat(plan.day))
        stamp = self._stamp(context, fleet, plan.day, store, [str(note) for note in notes])
        hidden = {name for names in blind(services, found.vms).values() for name in names}
        return assemble(fleet, services, plan, found, stamp), {*found.unknown, *hidden}

    def _stamp(
        self, context: Context, fleet: Fleet, day: str, store: Store, notes: Sequence[str]
    ) -> Stamp:
        from include.proof import Run
        from include.proof.assemble import Stamp
        from include.proof.link import Link, link_to

        run, last = context["dag_run"], max((e for e in store.days() if e < day), default=None)
        return Stamp(
            run=Run(dag_id=run.dag_id, run_id=run.run_id),
            now=datetime.now(UTC).replace(microsecond=0),
            link=link_to(last, store.proof(last) or "") if last else Link(),
            notes=tuple(notes),
            earlier=_excepted_before(fleet, day, store),
        )

    def _write(self, fleet: Fleet, proof: Proof, store: Store, unseen: Collection[str]) -> str:
        """Write the page first: a day that has a proof has its page too. Returns the hash."""
        from include.proof import page, seal, text_of
        from snowmelt.proof.keys import signer_for
        from snowmelt.proof.prune import prune

        signer = signer_for(fleet.proof.key, _signers(store))
        shown = page(proof)
        file = seal(proof.model_dump(mode="json"), shown, signer.fingerprint, signer.sign)
        store.write(f"proof/keys/{signer.fingerprint}.pem", signer.public_pem.decode())
        store.write(f"proof/{proof.day}.html", shown)
        store.write(f"proof/{proof.day}.json", text_of(file))
        oldest = date.fromisoformat(proof.day) - fleet.proof.keep
        prune(store, oldest.isoformat(), {(vm.service, vm.name) for vm in proof.vms}, unseen)
        self.log.info("proof of %s in %s", proof.day, store.root / "proof")
        self.log.info("hash %s, by key %s", file["seal"]["hash"], signer.fingerprint)
        return str(file["seal"]["hash"])


def _excepted_before(fleet: Fleet, day: str, store: Store) -> Sequence[ExceptionProof]:
    """Return the exceptions of the day's earlier proof, if our own key vouches for it as it is.

    Its page does not matter: nothing is read from it, and a kill between the two writes has left
    the page of the later proof there.
    """
    from include.proof.chain import is_as_written
    from include.proof.link import exceptions_in
    from snowmelt.proof.keys import signer_for
    from snowmelt.proof.public import Keys

    text = store.proof(day)
    if text is None:
        return ()
    ours = Keys([signer_for(fleet.proof.key, _signers(store)).public_pem])
    return exceptions_in(text) if is_as_written(day, text, ours.verified) else ()


def _signers(store: Store) -> list[str]:
    """Return the fingerprints of the keys that have signed proofs of this store."""
    return [name.removesuffix(".pem") for name in store.names("proof/keys")]
