"""The release packages of the example services."""

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
    root = content(build(Release("shop", "1.1"), tmp_path), tmp_path)

    assert "release = 1.1" in (root / "etc/shop-app/shop.conf").read_text()
    assert '-s "1.1"' in (root / "etc/nagios/nrpe.d/shop-app.cfg").read_text()
    manifest = root / "usr/share/shop-app/puppet/shop_1_1/manifests/init.pp"
    assert "class shop_1_1 {" in manifest.read_text()
    assert "ensure => '1.1'" in manifest.read_text()
    assert (root / "usr/share/shop-app/server.rb").stat().st_mode & 0o111
    assert (root / "usr/share/shop-app/http.rb").is_file()
    unit = (root / "lib/systemd/system/shop-app.service").read_text()
    assert "/etc/shop-app/shop.conf /etc/shop-app/site.conf" in unit


@pytest.mark.parametrize("release", RELEASES, ids=lambda release: release.module)
def test_every_release_of_every_service_has_its_own_names_throughout(
    release: Release, tmp_path: Path
) -> None:
    """No template's placeholder is left, and nothing is called after another service."""
    root = content(build(release, tmp_path), tmp_path)

    files = [path for path in root.rglob("*") if path.is_file() and path.suffix != ".rb"]
    text = "".join(path.read_text() for path in files)
    others = {"shop", "accounts", "worker"} - {release.service}
    assert "@" not in text.replace("archive@lab.test", "").replace("lab@lab.test", "")
    assert [name for name in others if f"{name}-app" in text or f"class {name}" in text] == []
    assert f"check_{release.service}" in text


def test_the_modules_of_two_releases_stand_side_by_side(tmp_path: Path) -> None:
    """A rollout serves machines of both from one environment."""
    for release in (Release("shop", "1.0"), Release("shop", "1.1"), Release("accounts", "1.0")):
        extract_module(build(release, tmp_path), release, tmp_path / "modules")

    found = sorted(path.name for path in (tmp_path / "modules").iterdir())
    assert found == ["accounts_1_0", "shop_1_0", "shop_1_1"]


def test_release_1_3_says_why_it_does_not_install(tmp_path: Path) -> None:
    """Its script fails, and the reason is what an operator will read in the Puppet report."""
    broken = next(release for release in RELEASES if release.version == "1.3")
    root = content(build(broken, tmp_path), tmp_path)

    done = subprocess.run([root / "DEBIAN/postinst"], capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert done.stderr == (
        "shop-app 1.3: the price list cannot be converted: column tax_class is missing\n"
    )
