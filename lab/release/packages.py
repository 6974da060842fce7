"""Build the release packages: one Debian package holds all of a service's release."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

_APP = Path(__file__).resolve().parent / "app"

_CONTROL = """\
Package: @PACKAGE@
Version: @RELEASE@
Architecture: all
Maintainer: Snowmelt lab <lab@lab.test>
Depends: ruby
Section: web
Priority: optional
Description: the example service @SERVICE@, release @RELEASE@
 Application, its configuration, its monitoring check and its Puppet manifest.
"""
_CHECK = (
    "command[check_@SERVICE@]=/usr/lib/nagios/plugins/check_http -I 127.0.0.1 -p 8080"
    ' -u /version -s "@RELEASE@"\n'
)
_REFUSES = """\
#!/bin/sh
echo "@PACKAGE@ @RELEASE@: the price list cannot be converted: column tax_class is missing" >&2
exit 1
"""


@dataclass(frozen=True)
class Release:
    """One release of a service. `settings` are lines of its configuration file beside the usual."""

    service: str
    version: str
    settings: dict[str, str] = field(default_factory=dict)
    installs: bool = True
    program: str = "web.rb"

    @property
    def package(self) -> str:
        """The name of its package: the same for all releases of a service."""
        return f"{self.service}-app"

    @property
    def module(self) -> str:
        """The name of its Puppet module: each release has one of its own."""
        return f"{self.service}_{self.version.replace('.', '_')}"

    @property
    def module_path(self) -> Path:
        """Where in the package its Puppet module is."""
        return Path("usr/share") / self.package / "puppet" / self.module

    def fill_in(self, text: str) -> str:
        """Return a template with this release's names in it."""
        names = {
            "SERVICE": self.service,
            "PACKAGE": self.package,
            "RELEASE": self.version,
            "MODULE": self.module,
        }
        for name, value in names.items():
            text = text.replace(f"@{name}@", value)
        return text


def _worker(version: str) -> Release:
    ledger = {"ledger": "/var/lib/worker-app/ledger"}
    return Release("worker", version, ledger, program="worker.rb")


RELEASES = (
    Release("shop", "1.0"),
    Release("shop", "1.1"),
    Release("shop", "1.2", {"fail_health_after": "3"}),  # starts, then its health check fails
    Release("shop", "1.3", installs=False),  # its package does not install
    Release("shop", "1.4", {"error_every": "50", "crowd": "62"}),  # fails under load only
    Release("accounts", "1.0"),
    Release("accounts", "1.1"),
    Release("accounts", "1.2", {"fail_health_after": "3"}),
    _worker("1.0"),
    _worker("1.1"),
)


def build(release: Release, archive: Path) -> Path:
    """Build a release into the folder `archive`; returns the package's file."""
    target = archive / f"{release.package}_{release.version}_all.deb"
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch) / "root"
        _fill(root, release)
        command = ["dpkg-deb", "--root-owner-group", "-Zgzip", "--build", str(root), str(target)]
        subprocess.run(command, check=True, capture_output=True)
    return target


def extract_module(package: Path, release: Release, modules: Path) -> None:
    """Take a release's Puppet module out of its package and put it where the server finds it."""
    with tempfile.TemporaryDirectory() as scratch:
        subprocess.run(["dpkg-deb", "--extract", str(package), scratch], check=True)
        source = Path(scratch) / release.module_path
        shutil.copytree(source, modules / release.module, dirs_exist_ok=True)


def _fill(root: Path, release: Release) -> None:
    package, conf = release.package, f"etc/{release.package}/{release.service}.conf"
    texts = {
        "DEBIAN/control": _CONTROL,
        "DEBIAN/conffiles": f"/{conf}\n",
        f"usr/share/{package}/server.rb": _source(release.program),
        f"usr/share/{package}/http.rb": _source("http.rb"),
        f"lib/systemd/system/{package}.service": _source("app.service"),
        conf: _settings(release),
        f"etc/nagios/nrpe.d/{package}.cfg": _CHECK,
        f"{release.module_path}/manifests/init.pp": _source("init.pp"),
    }
    if not release.installs:
        texts["DEBIAN/postinst"] = _REFUSES
    for name, text in texts.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(release.fill_in(text))
        path.chmod(0o755 if text.startswith("#!") else 0o644)
    root.chmod(0o755)


def _source(name: str) -> str:
    return (_APP / name).read_text()


def _settings(release: Release) -> str:
    values = {"release": release.version, "address": "0.0.0.0", "port": "8080"} | release.settings
    return "".join(f"{key} = {value}\n" for key, value in values.items())
