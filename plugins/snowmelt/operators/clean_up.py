"""Keep every system as small as it was: remove what nobody needs, and tell what grows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from airflow.sdk import BaseOperator

from include.state import expired, list_faults, stale_faults, told
from snowmelt.catalogue import known_services, users_of
from snowmelt.errors import Refused, SnowmeltError, raise_all
from snowmelt.hooks.opennebula import OpenNebulaHook
from snowmelt.hooks.opennebula_images import OpenNebulaImagesHook
from snowmelt.hooks.puppet_ca import PuppetCaHook
from snowmelt.hooks.puppetdb import PuppetDbHook
from snowmelt.operators.image_clean import clean_images

if TYPE_CHECKING:
    from airflow.sdk import Context


class CleanCertificates(BaseOperator):
    """Delete the expired certificates of VMs that are gone. Nothing is revoked: they expired."""

    def execute(self, context: Context) -> None:
        services = known_services().values()
        clouds = (OpenNebulaHook(conn_id) for conn_id in users_of("opennebula", services))
        running = {vm.name for cloud in clouds for vm in cloud.vm_states()}
        for conn_id, users in users_of("puppet_ca", services).items():
            ca = PuppetCaHook(conn_id)
            for certname in expired(ca.certificates(), users, running, datetime.now(UTC)):
                outcome = ca.remove_certificate(certname, revoke=False)
                self.log.info("%s expired certificate of %s", outcome, certname)


class CheckRevocationLists(BaseOperator):
    """Fail when a revocation list has grown, or is about to run out."""

    def execute(self, context: Context) -> None:
        params, now = context["params"], datetime.now(UTC)
        faults: list[str] = []
        for conn_id in users_of("puppet_ca", known_services().values()):
            lists = PuppetCaHook(conn_id).revocation_lists()
            for found in lists:
                self.log.info("%s", told(found, now))
            faults += list_faults(
                lists,
                max_entries=params["max_revoked"],
                min_days=params["min_days_of_list"],
                now=now,
            )
        _must_be_none(faults)


class CheckPuppetDb(BaseOperator):
    """Fail when PuppetDB keeps nodes and reports that it should have removed by itself."""

    def execute(self, context: Context) -> None:
        days = context["params"]["keep_reports_days"]
        faults: list[str] = []
        for conn_id in users_of("puppetdb", known_services().values()):
            stale = PuppetDbHook(conn_id).stale(datetime.now(UTC) - timedelta(days=days))
            faults += stale_faults(stale, days)
        _must_be_none(faults)
        self.log.info("PuppetDB keeps nothing that is over %s days old", days)


class CleanAllImages(BaseOperator):
    """Remove the superseded images of every cloud that no VM uses any more."""

    def execute(self, context: Context) -> None:
        failed: list[SnowmeltError] = []
        for conn_id in users_of("opennebula", known_services().values()):
            try:
                failed += clean_images(self, OpenNebulaImagesHook(conn_id))[1]
            except SnowmeltError as error:  # it is away: no reason to leave the next one out
                failed.append(error)
        raise_all(failed)


def _must_be_none(faults: list[str]) -> None:
    if faults:
        raise Refused("; ".join(faults))
