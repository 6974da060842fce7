"""Links from a task to the thing that it made.

Where a system's web pages are is a matter of the site: the field `web` of its Connection holds
an address with a placeholder, such as `https://one.example.org/fireedge/sunstone/vm/{vm_id}`.
Airflow asks for a link once, when the task has ended, and keeps the answer.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import BaseHook, BaseOperatorLink


def web_address(conn_id: str, **values: Any) -> str:
    """Return the page of a thing in the system behind *conn_id*, "" where the site has none."""
    page = BaseHook.get_connection(conn_id).extra_dejson.get("web", "")
    return str(page).format(**values) if page else ""


class VmLink(BaseOperatorLink):
    """The VM in OpenNebula's own pages: `{vm_id}`."""

    name = "VM"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        vm_id = getattr(operator, "vm_id", None)
        if vm_id is None:  # 0 is the first VM of a cloud
            return ""
        return web_address(operator.connections.opennebula, vm_id=vm_id)


class PuppetReportLink(BaseOperatorLink):
    """The VM's Puppet reports, such as in Puppetboard: `{certname}`."""

    name = "Puppet report"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        return web_address(operator.connections.puppetdb, certname=operator.vm["fqdn"])


class MonitoringLink(BaseOperatorLink):
    """The VM in monitoring: `{host}`."""

    name = "Monitoring"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        return web_address(operator.connections.monitoring, host=operator.vm["fqdn"])


class RolloutLink(BaseOperatorLink):
    """The rollout that a front door follows, in Airflow's own pages; there from its start on."""

    name = "Rollout"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        return str(getattr(operator, "rollout_page", ""))
