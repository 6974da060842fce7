"""PuppetDB 7: what every node's last run did."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lab.services.base import Service, answers, copy, folders, give, secret, write
from lab.services.certificates import CLIENT, PUPPET, PUPPETDB
from lab.services.puppetserver import JAVA
from lab.settings import SERVICES_IP, Places
from lab.supervisor import Program

_PACKAGED = Path("/etc/puppetdb")
_CONFIGURATION = """\
[global]
vardir = {home}/var
logging-config = {home}/etc/logback.xml
[command-processing]
threads = 1
[puppetdb]
certificate-allowlist = {home}/etc/allowlist
disable-update-checking = true
"""
_DATABASE = """\
[database]
subname = //127.0.0.1:5432/puppetdb
username = puppetdb
password = {password}
maximum-pool-size = 8
{retention}"""
# What it keeps and for how long; see docs/how-to/state.md.
RETENTION: Mapping[str, str] = {
    "gc-interval": "60",
    "node-ttl": "2d",
    "node-purge-ttl": "2d",
    "node-purge-gc-batch-limit": "0",
    "report-ttl": "7d",
}
_WEB = """\
[jetty]
ssl-host = {address}
ssl-port = 8081
ssl-key = {home}/ssl/private.pem
ssl-cert = {home}/ssl/public.pem
ssl-ca-cert = {home}/ssl/ca.pem
client-auth = want
access-log-config = {home}/etc/request-logging.xml
"""


def service(places: Places, retention: Mapping[str, str] = RETENTION) -> Service:
    """Ready means: its status service says `running`."""
    home = places.of("puppetdb")
    return Service(
        program=Program(
            name="puppetdb",
            command=[
                *JAVA,
                "-Xmx256m",
                *("-cp", "/usr/share/puppetdb/puppetdb.jar", "clojure.main"),
                *("-m", "puppetlabs.puppetdb.core", "services"),
                *("--config", str(home / "etc" / "conf.d")),
                *("--bootstrap-config", str(home / "etc" / "bootstrap.cfg")),
                *("--restart-file", str(home / "run" / "restart")),
            ],
            environment={"HOME": str(home)},
            patience_s=20,
        ),
        prepare=lambda: _prepare(places, retention),
        ready=lambda: answers(SERVICES_IP, 8081, "/status/v1/simple", b"running"),
        needs=("certificates", "postgres"),
        patience_s=240,
    )


def _prepare(places: Places, retention: Mapping[str, str]) -> None:
    home, ssl = places.of("puppetdb"), places.of("puppet") / "ssl"
    folders(home / "var", home / "run", home / "log")
    for name in ("bootstrap.cfg", "logback.xml", "request-logging.xml"):
        copy(_PACKAGED / name, home / "etc" / name)
        text = (home / "etc" / name).read_text()
        (home / "etc" / name).write_text(text.replace("/var/log/puppetdb", str(home / "log")))
    copy(_PACKAGED / "conf.d" / "auth.conf", home / "etc" / "conf.d" / "auth.conf")
    settings = home / "etc" / "conf.d"
    write(settings / "config.ini", _CONFIGURATION.format(home=home))
    password = secret(places.secrets / "postgres-puppetdb")
    lines = "".join(f"{key} = {value}\n" for key, value in retention.items())
    database = _DATABASE.format(password=password, retention=lines)
    write(settings / "database.ini", database, 0o600)
    write(settings / "jetty.ini", _WEB.format(home=home, address=SERVICES_IP))
    write(home / "etc" / "allowlist", f"{PUPPET}\n{CLIENT}\n")
    write(home / "ssl" / "public.pem", (ssl / "certs" / f"{PUPPETDB}.pem").read_text())
    write(home / "ssl" / "ca.pem", (ssl / "certs" / "ca.pem").read_text())
    private = (ssl / "private_keys" / f"{PUPPETDB}.pem").read_text()
    write(home / "ssl" / "private.pem", private, 0o600)
    write(home / "run" / "restart", "0")
    give(home)
