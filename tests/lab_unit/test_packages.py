"""The release packages of the example service."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from lab.release.packages import RELEASES, Release, build, extract_module

pytestmark = pytest.mark.skipif(
    shutil.which("dpkg-deb") is None, reason="release packages are Debian packages"
)


def content(package: Path, tmp_path: Path) -> Path:
    """A package unpacked, control files included."""
    target = tmp_path / "unpacked"
    subprocess.run(["dpkg-deb", "--raw-extract", str(package), str(target)], check=True)
    return target


def test_one_package_holds_all_of_a_release(tmp_path: Path) -> None:
    """Application, its configuration, its unit, its check and its Puppet manifest."""
    root = content(build(Release("1.1"), tmp_path), tmp_path)

    assert "release = 1.1" in (root / "etc/shop-app/shop.conf").read_text()
    assert '-s "1.1"' in (root / "etc/nagios/nrpe.d/shop-app.cfg").read_text()
    manifest = root / "usr/share/shop-app/puppet/shop_1_1/manifests/init.pp"
    assert "class shop_1_1 {" in manifest.read_text()
    assert "ensure => '1.1'" in manifest.read_text()
    assert (root / "usr/share/shop-app/server.rb").stat().st_mode & 0o111
    assert (root / "lib/systemd/system/shop-app.service").is_file()


def test_the_modules_of_two_releases_stand_side_by_side(tmp_path: Path) -> None:
    """A rollout serves machines of both from one environment."""
    for release in (Release("1.0"), Release("1.1")):
        extract_module(build(release, tmp_path), release, tmp_path / "modules")

    assert sorted(p.name for p in (tmp_path / "modules").iterdir()) == ["shop_1_0", "shop_1_1"]


def test_release_1_3_says_why_it_does_not_install(tmp_path: Path) -> None:
    """Its script fails, and the reason is what an operator will read in the Puppet report."""
    broken = next(release for release in RELEASES if release.version == "1.3")
    root = content(build(broken, tmp_path), tmp_path)

    done = subprocess.run([root / "DEBIAN/postinst"], capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert done.stderr == (
        "shop-app 1.3: the price list cannot be converted: column tax_class is missing\n"
    )
