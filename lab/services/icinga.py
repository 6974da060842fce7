"""Icinga 2: checks every VM that the product tells it about, by HTTP and through NRPE."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from lab.services.base import Service, folders, give, listens, secret, write
from lab.settings import SERVICES_IP, UID, ZONE, Places
from lab.supervisor import Program, environment

USER = "snowmelt"
TEMPLATE = "snowmelt-vm"
_BINARY = "icinga2/sbin/icinga2"  # below /usr/lib/<architecture>: the wrapper in PATH wants a shell

# Hosts come and go at run time; their checks follow from the variable `snowmelt_service`.
# The intervals are short because a rollout waits for the first results of new machines.
_CONFIGURATION = """\
include <itl>
include <plugins>
const NodeName = "icinga.{zone}"
const ZoneName = NodeName
const PluginDir = "/usr/lib/nagios/plugins"
object Endpoint NodeName {{ }}
object Zone ZoneName {{ endpoints = [ NodeName ] }}
object CheckerComponent "checker" {{ }}
object ApiListener "api" {{ bind_host = "{address}", bind_port = 5665 }}
object ApiUser "{user}" {{
  password = "{password}"
  permissions = [
    "objects/query/*", "objects/create/Host", "objects/modify/Host", "objects/delete/Host",
    "objects/delete/Service", "objects/create/Downtime", "objects/delete/Downtime",
    "actions/reschedule-check", "actions/process-check-result",
    "actions/schedule-downtime", "actions/remove-downtime", "status/query", "templates/query/*",
  ]
}}
object CheckCommand "nrpe-port" {{
  command = [ PluginDir + "/check_tcp" ]
  arguments = {{ "-H" = "$address$", "-p" = "5666" }}
}}
template Host "{template}" {{
  check_command = "nrpe-port"
  enable_active_checks = {checks}
  check_interval = 5s
  retry_interval = 1s
  max_check_attempts = 2
}}
template Service "lab-check" {{
  enable_active_checks = {checks}
  check_interval = 5s
  retry_interval = 1s
  max_check_attempts = 2
}}
apply Service "http" {{
  import "lab-check"
  check_command = "http"
  vars.http_port = 8080
  vars.http_uri = "/health"
  if (host.vars.http_port) {{ vars.http_port = host.vars.http_port }}
  if (host.vars.http_uri) {{ vars.http_uri = host.vars.http_uri }}
  assign where host.vars.snowmelt_service
  ignore where host.vars.plain
}}
apply Service "nrpe" {{
  import "lab-check"
  check_command = "nrpe"
  vars.nrpe_command = "check_" + host.vars.snowmelt_service
  if (host.vars.nrpe_command) {{ vars.nrpe_command = host.vars.nrpe_command }}
  assign where host.vars.snowmelt_service
}}
"""


def service(places: Places, *, checks: bool = True) -> Service:
    """Ready means: its API port is open. Without *checks* results only come from outside."""
    return Service(
        program=Program(
            name="icinga",
            command=[
                *(_binary(), "daemon", "-c", str(places.of("icinga") / "icinga2.conf")),
                *_defines(places.of("icinga")),
                *("-D", "Configuration.Concurrency=2"),
            ],
            environment=_variables(places),
            stop_group=True,  # its umbrella process leaves the worker behind otherwise
        ),
        prepare=lambda: _prepare(places, checks=checks),
        ready=lambda: listens(SERVICES_IP, 5665),
    )


def ca_file(places: Places) -> Path:
    """The CA of Icinga's own certificate."""
    return places.of("icinga") / "var" / "lib" / "certs" / "ca.crt"


def password(places: Places) -> str:
    """The API user's password."""
    return secret(places.secrets / "icinga")


def _binary() -> str:
    found = sorted(Path("/usr/lib").glob(f"*/{_BINARY}"))
    return str(found[0] if found else _BINARY)


def _variables(places: Places) -> dict[str, str]:
    return {"HOME": str(places.of("icinga")), "ICINGA2_USER": "lab", "ICINGA2_GROUP": "lab"}


def _defines(home: Path) -> list[str]:
    values = {
        "ConfigDir": home / "etc",
        "DataDir": home / "var" / "lib",
        "CacheDir": home / "var" / "cache",
        "SpoolDir": home / "var" / "spool",
        "InitRunDir": home / "run",
        "LogDir": home / "log",
        "RunAsUser": "lab",
        "RunAsGroup": "lab",
    }
    return [word for key, value in values.items() for word in ("-D", f"{key}={value}")]


def _prepare(places: Places, *, checks: bool) -> None:
    home = places.of("icinga")
    shutil.rmtree(home, ignore_errors=True)  # a key without its certificate would stay for ever
    parts = ("etc", "var/lib/certs", "var/cache", "var/spool", "run", "log")
    folders(*(home / part for part in parts))
    text = _CONFIGURATION.format(
        home=home,
        zone=ZONE,
        address=SERVICES_IP,
        user=USER,
        template=TEMPLATE,
        password=password(places),
        checks=str(checks).lower(),
    )
    write(home / "icinga2.conf", text, 0o600)
    give(home)
    done = subprocess.run(
        [
            *("setpriv", "--reuid", str(UID), "--regid", str(UID), "--clear-groups"),
            *environment(_variables(places)),
            *(_binary(), "api", "setup", "--cn", f"icinga.{ZONE}"),
            *_defines(home),
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
    )
    if done.returncode:
        raise RuntimeError(f"icinga2 api setup: {done.stdout[-500:]}{done.stderr[-500:]}")
    public = places.secrets / "icinga-ca.pem"
    write(public, ca_file(places).read_text(), 0o600)
    os.chown(public, UID, UID)
