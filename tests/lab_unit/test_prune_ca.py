"""contrib/puppet/snowmelt-prune-ca, on a CA of its own."""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import subprocess
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from lab.settings import CHECKOUT

PROGRAM = CHECKOUT / "contrib" / "puppet" / "snowmelt-prune-ca"
NOW = datetime.now(UTC)
LONG_AGO, LATELY, LATER = (NOW + timedelta(days=d) for d in (-40, -10, 700))
KEYS = [rsa.generate_private_key(65537, 2048) for _ in range(2)]

pytestmark = pytest.mark.skipif(shutil.which("ruby") is None, reason="Ruby comes with Puppet")


def line(serial: int, ends: datetime) -> str:
    begins = ends - timedelta(days=4)
    return (
        f"0x{serial:04x} {begins:%Y-%m-%dT%H:%M:%SUTC} {ends:%Y-%m-%dT%H:%M:%SUTC} /CN=vm{serial}\n"
    )


def revocation_list(issuer: str, key: rsa.RSAPrivateKey, *serials: int) -> str:
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .last_update(NOW - timedelta(days=50))
        .next_update(NOW + timedelta(days=50))
        .add_extension(x509.CRLNumber(7), critical=False)
    )
    for serial in serials:
        entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(NOW)
        builder = builder.add_revoked_certificate(entry.build())
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()


@pytest.fixture
def ca(tmp_path: Path) -> Path:
    """Four certificates: long expired, the same and revoked, lately expired, valid."""
    pem = KEYS[0].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "ca_key.pem").write_bytes(pem)
    own, above = revocation_list("ours", KEYS[0], 2, 3, 99), revocation_list("root", KEYS[1], 2)
    (tmp_path / "ca_crl.pem").write_text(own + above)
    lines = [line(1, LONG_AGO), line(2, LONG_AGO), line(3, LATELY), line(4, LATER)]
    (tmp_path / "inventory.txt").write_text("".join(lines))
    return tmp_path


def prune(ca: Path, *options: str) -> subprocess.CompletedProcess[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])  # nothing listens there
    command = ["ruby", str(PROGRAM), "--cadir", str(ca), "--port", port, *options]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def known(ca: Path) -> list[int]:
    lines = (ca / "inventory.txt").read_text().splitlines()
    return [int(each.split()[0], 16) for each in lines]


def revoked(ca: Path) -> list[list[int]]:
    blocks = (ca / "ca_crl.pem").read_text().split("-----END X509 CRL-----\n")[:-1]
    lists = [x509.load_pem_x509_crl(f"{b}-----END X509 CRL-----\n".encode()) for b in blocks]
    return [[entry.serial_number for entry in each] for each in lists]


def test_the_inventory_forgets_what_expired_long_ago(ca: Path) -> None:
    """But nothing that is on a revocation list: it tells when that entry may go."""
    done = prune(ca)

    assert done.returncode == 0, done.stderr
    assert known(ca) == [2, 3, 4]
    assert revoked(ca) == [[2, 3, 99], [2]]
    assert done.stdout == "inventory: 1 lines removed, 3 kept\n"


def test_the_revocation_list_forgets_it_too_when_the_server_is_stopped(ca: Path) -> None:
    """Signed anew by the CA; an entry that nobody knows stays, and so does the root's list."""
    done = prune(ca, "--revocations")

    assert done.returncode == 0, done.stderr
    assert revoked(ca) == [[3, 99], [2]]
    found = x509.load_pem_x509_crl((ca / "ca_crl.pem").read_bytes())
    assert found.is_signature_valid(KEYS[0].public_key())
    assert found.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number == 8
    assert found.next_update_utc is not None
    assert found.next_update_utc > NOW + timedelta(days=99)
    assert known(ca) == [2, 3, 4]  # the root's list still has 2


def test_a_running_server_keeps_its_list(ca: Path) -> None:
    """It would write over ours, or we over its newest revocation."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        done = prune(ca, "--revocations", "--port", str(server.getsockname()[1]))

    assert done.returncode == 1
    assert "stop Puppet Server first" in done.stderr
    assert revoked(ca) == [[2, 3, 99], [2]]
    assert known(ca) == [1, 2, 3, 4]


def test_what_a_killed_run_left_is_finished(ca: Path) -> None:
    """Its half and what the server wrote since; a line that is in both counts once."""
    (ca / "inventory.txt").rename(ca / "inventory.txt.pruning")
    (ca / "inventory.txt").write_text(line(5, LATER))

    prune(ca)

    assert sorted(known(ca)) == [2, 3, 4, 5]
    assert not (ca / "inventory.txt.pruning").exists()


def test_a_server_that_writes_the_whole_file_anew_loses_none_of_its_lines(ca: Path) -> None:
    """As Puppet Server 8 does: it read the file while it was short, and writes after we did."""
    inventory, half = ca / "inventory.txt", ca / "inventory.txt.pruning"

    def sign() -> None:
        while not (half.exists() and inventory.exists() and inventory.read_text()):
            time.sleep(0.002)
        fresh = ca / "fresh"
        fresh.write_text(line(5, LATER))
        fresh.rename(inventory)

    server = threading.Thread(target=sign)
    server.start()
    done = prune(ca)
    server.join()

    assert done.returncode == 0, done.stderr
    assert sorted(known(ca)) == [2, 3, 4, 5]


def test_of_two_at_once_the_second_one_gives_up(ca: Path) -> None:
    """It would take the first one's half for what a killed run left."""
    folder = os.open(ca, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        done = prune(ca)
    finally:
        os.close(folder)

    assert done.returncode == 1
    assert "another run works" in done.stderr
    assert known(ca) == [1, 2, 3, 4]


def test_a_line_that_is_none_of_the_ca_stays(ca: Path) -> None:
    """Nothing is thrown away that was not understood."""
    with (ca / "inventory.txt").open("a") as file:
        file.write("# a remark\n")

    prune(ca)

    assert (ca / "inventory.txt").read_text().endswith("# a remark\n")
