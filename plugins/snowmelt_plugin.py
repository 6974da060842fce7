"""The one file that Airflow's plugin manager loads.

It names our links, so that the API server may show them. The package `snowmelt/` beside it is
kept out of the plugin scan by `.airflowignore`: the scan would run each of its files and put
`hooks/…` into `sys.modules` under its bare file name.

It also loads all operators and hooks, and what these load only where they need it. The scheduler
and a Celery worker read their plugins before they fork, and each task is such a fork: else it would
begin by loading them, which is half of what a pass through a worker costs.
"""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin

import snowmelt.hooks.haproxy
import snowmelt.hooks.icinga2
import snowmelt.params
import snowmelt.proof.collect
import snowmelt.wiring  # noqa: F401
from snowmelt.links import MonitoringLink, PuppetReportLink, VmLink


class SnowmeltPlugin(AirflowPlugin):
    """What Snowmelt adds to Airflow's UI."""

    name = "snowmelt"
    operator_extra_links = [VmLink(), PuppetReportLink(), MonitoringLink()]  # noqa: RUF012
