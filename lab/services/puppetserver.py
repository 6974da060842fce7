"""Puppet Server 7: certificate authority and catalogs."""

from __future__ import annotations

import shutil
from pathlib import Path

from lab.services.base import Service, answers, copy, folders, give, write
from lab.services.certificates import PUPPET, PUPPETDB, make
from lab.settings import CHECKOUT, SERVICES_IP, Places
from lab.supervisor import Program

_PACKAGED = Path("/etc/puppet/puppetserver")
START_QUICKLY = "-XX:TieredStopAtLevel=1"  # 21 s of CPU, not 48
JAVA = ["/usr/bin/java", START_QUICKLY, "-XX:+UseSerialGC"]

_SERVER = """\
jruby-puppet: {{
    ruby-load-path: [/usr/lib/puppetserver/ruby/vendor_ruby]
    gem-home: {home}/var/jruby-gems
    gem-path: [{home}/var/jruby-gems, "/usr/lib/puppetserver/vendored-jruby-gems"]
    server-conf-dir: {home}/conf
    server-code-dir: {home}/code
    server-var-dir: {home}/var
    server-run-dir: {home}/run
    server-log-dir: {home}/log
    max-active-instances: {jrubies}
}}
http-client: {{ }}
profiler: {{ enabled: false }}
"""

_GLOBAL = "global: {{ logging-config: {home}/etc/logback.xml }}\n"

# With TLS 1.3 an agent's first request after its certificate request waits for the server's idle
# time-out of 30 s (4 of 4 enrolments); with 1.2 alone it takes 2 s.
_WEB = """\
webserver: {{
    access-log-config: {home}/etc/request-logging.xml
    client-auth: want
    ssl-host: {address}
    ssl-port: 8140
    ssl-protocols: [TLSv1.2]
}}
"""

# No autosign: a request stays pending until somebody who has checked it signs it over the API.
_PUPPET = """\
[main]
certname = {name}
server = {name}
dns_alt_names = {name},puppet,localhost
ssldir = {home}/ssl
codedir = {home}/code
environmentpath = {home}/code/environments
[server]
cadir = {home}/ssl/ca
autosign = false
ca_ttl = 10y
keylength = 2048
reports = puppetdb
storeconfigs = true
storeconfigs_backend = puppetdb
environment_timeout = 0
"""
_TERMINUS = "[main]\nserver_urls = https://{name}:8081\nsoft_write_failure = true\n"
_ROUTES = "---\nmaster:\n  facts:\n    terminus: puppetdb\n    cache: yaml\n"


def service(places: Places) -> Service:
    """Ready means: its status service says `running`."""
    home = places.of("puppet")
    loggers = "com.puppetlabs.jruby_utils.jruby.Slf4jLogger"
    return Service(
        program=Program(
            name="puppetserver",
            command=[
                *JAVA,
                "-Xms512m",
                "-Xmx768m",
                "-Djruby.lib=/usr/share/jruby/lib",
                f"-Djruby.logger.class={loggers}",
                "-jar",
                "/usr/share/puppetserver/puppetserver.jar",
                *("--config", str(home / "etc" / "conf.d")),
                *("--bootstrap-config", str(home / "etc" / "services.d")),
                *("--restart-file", str(home / "run" / "restart")),
            ],
            environment={"HOME": str(home)},
            patience_s=20,
        ),
        prepare=lambda: _prepare(places),
        ready=lambda: answers(SERVICES_IP, 8140, "/status/v1/simple", b"running"),
        needs=("releases", "certificates"),
        patience_s=240,
    )


def certificates(places: Places) -> None:
    """Write puppet.conf and make the CA with it, anew where an earlier try was interrupted."""
    home = places.of("puppet")
    shutil.rmtree(home / "ssl", ignore_errors=True)
    folders(*(home / part for part in ("var", "run", "log", "ssl", "conf")))
    write(home / "conf" / "puppet.conf", _PUPPET.format(home=home, name=PUPPET))
    make(places)


def control_repository(places: Places) -> Path:
    """Lay the example control repository out as environment `production`; returns its folder."""
    target = places.of("puppet") / "code" / "environments" / "production"
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(CHECKOUT / "include" / "puppet", target)
    return target


def _prepare(places: Places) -> None:
    home = places.of("puppet")
    for part in ("auth", "ca", "web-routes", "metrics"):
        copy(_PACKAGED / "conf.d" / f"{part}.conf", home / "etc" / "conf.d" / f"{part}.conf")
    for path in (_PACKAGED / "services.d").iterdir():
        copy(path, home / "etc" / "services.d" / path.name)
    _own_logs(home)
    write(home / "etc" / "conf.d" / "puppetserver.conf", _SERVER.format(home=home, jrubies=1))
    web = _WEB.format(home=home, address=SERVICES_IP)
    write(home / "etc" / "conf.d" / "webserver.conf", web)
    write(home / "conf" / "puppetdb.conf", _TERMINUS.format(name=PUPPETDB))
    write(home / "conf" / "routes.yaml", _ROUTES)
    write(home / "run" / "restart", "0")
    give(home)  # the CA's files too: with another group signing dies with "Operation not permitted"


def _own_logs(home: Path) -> None:
    """The packaged settings log to /var/log, which is not ours to write."""
    for name in ("request-logging.xml", "logback.xml"):
        copy(_PACKAGED / name, home / "etc" / name)
        path = home / "etc" / name
        path.write_text(path.read_text().replace("/var/log/puppetserver", str(home / "log")))
    write(home / "etc" / "conf.d" / "global.conf", _GLOBAL.format(home=home))
