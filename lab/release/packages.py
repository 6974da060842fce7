"""Build `shop-app`: one Debian package holds all of a release."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

_APP = Path(__file__).resolve().parent / "app"
_MODULES = Path("usr/share/shop-app/puppet")

_CONTROL = """\
Package: shop-app
Version: {release}
Architecture: all
Maintainer: Snowmelt lab <lab@lab.test>
Depends: ruby
Section: web
Priority: optional
Description: the example service, release {release}
 Application, its configuration, its monitoring check and its Puppet manifest.
"""
_CHECK = (
    "command[check_shop]=/usr/lib/nagios/plugins/check_http -I 127.0.0.1 -p 8080"
    ' -u /version -s "{release}"\n'
)
_REFUSES = """\
#!/bin/sh
echo "shop-app {release}: the price list cannot be converted: column tax_class is missing" >&2
exit 1
"""


@dataclass(frozen=True)
class Release:
    """One release of `shop`. `settings` are lines of its configuration file beside the usual."""

    version: str
    settings: dict[str, str] = field(default_factory=dict)
    installs: bool = True

    @property
    def module(self) -> str:
        """The name of its Puppet module: each release has one of its own."""
        return f"shop_{self.version.replace('.', '_')}"


RELEASES = (
    Release("1.0"),
    Release("1.1"),
    Release("1.2", {"fail_health_after": "3"}),  # starts, then its health check fails
    Release("1.3", installs=False),  # its package does not install
    Release("1.4", {"error_every": "50", "crowd": "55"}),  # healthy, fails under load only
)


def build(release: Release, archive: Path) -> Path:
    """Build a release into the folder `archive`; returns the package's file."""
    target = archive / f"shop-app_{release.version}_all.deb"
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
        source = Path(scratch) / _MODULES / release.module
        shutil.copytree(source, modules / release.module, dirs_exist_ok=True)


def _fill(root: Path, release: Release) -> None:
    texts = {
        "DEBIAN/control": _CONTROL.format(release=release.version),
        "DEBIAN/conffiles": "/etc/shop-app/shop.conf\n",
        "usr/share/shop-app/server.rb": (_APP / "server.rb").read_text(),
        "lib/systemd/system/shop-app.service": (_APP / "shop-app.service").read_text(),
        "etc/shop-app/shop.conf": _settings(release),
        "etc/nagios/nrpe.d/shop-app.cfg": _CHECK.format(release=release.version),
        f"{_MODULES}/{release.module}/manifests/init.pp": _manifest(release),
    }
    if not release.installs:
        texts["DEBIAN/postinst"] = _REFUSES.format(release=release.version)
    for name, text in texts.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755 if text.startswith("#!") else 0o644)
    root.chmod(0o755)


def _settings(release: Release) -> str:
    values = {"release": release.version, "address": "0.0.0.0", "port": "8080"} | release.settings
    return "".join(f"{key} = {value}\n" for key, value in values.items())


def _manifest(release: Release) -> str:
    text = (_APP / "init.pp").read_text().replace("@RELEASE@", release.version)
    return text.replace("@MODULE@", release.version.replace(".", "_"))
