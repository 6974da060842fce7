"""The lab's Puppet CA before its server runs: its own certificate and those of the services."""

from __future__ import annotations

import datetime
import ipaddress
import shutil
import subprocess
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lab.services.base import write
from lab.settings import BALANCER_IP, SERVICES_IP, ZONE, Places

CLIENT = f"airflow.{ZONE}"  # the product's certificate at the CA, PuppetDB and the balancer
PUPPETDB = f"puppetdb.{ZONE}"
BALANCER = f"lb.{ZONE}"
PUPPET = f"puppet.{ZONE}"


def make(places: Places) -> None:
    """Set up the CA and issue what the services need. Takes about 6 s; the server must not run."""
    home = places.of("puppet")
    configuration = str(home / "conf" / "puppet.conf")
    _puppetserver_ca("setup", "--config", configuration, "--certname", PUPPET)
    # --ca-client puts pp_cli_auth into the certificate: the stock auth.conf then lets it sign.
    client = ["generate", "--ca-client", "--force", "--certname", CLIENT]
    _puppetserver_ca(*client, "--config", configuration)
    issue(home / "ssl", PUPPETDB, SERVICES_IP)
    issue(home / "ssl", BALANCER, BALANCER_IP)
    for source, name in (
        (home / "ssl" / "certs" / f"{CLIENT}.pem", f"{CLIENT}.pem"),
        (home / "ssl" / "private_keys" / f"{CLIENT}.pem", f"{CLIENT}.key"),
        (home / "ssl" / "certs" / "ca.pem", "puppet-ca.pem"),
    ):
        write(places.secrets / name, source.read_text(), 0o600)
        shutil.chown(places.secrets / name, "lab", "lab")


def _puppetserver_ca(*arguments: str) -> None:
    command = ["puppetserver", "ca", *arguments]
    if arguments[0] == "setup":
        names = f"{PUPPET},puppet,localhost"
        command += ["--subject-alt-names", names, "--ca-name", "Snowmelt lab CA"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stdout}{done.stderr}")


def issue(ssl: Path, name: str, address: str) -> None:
    """An ordinary certificate, without any right at the CA, signed while the CA is offline.

    `puppetserver ca generate` can do this online only, and PuppetDB should start beside the server.
    """
    ca = ssl / "ca"
    issuer = x509.load_pem_x509_certificates((ca / "ca_crt.pem").read_bytes())[0]
    signer = serialization.load_pem_private_key((ca / "ca_key.pem").read_bytes(), None)
    if not isinstance(signer, rsa.RSAPrivateKey):
        raise TypeError("Puppet's CA key is not an RSA key")
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    serial = int((ca / "serial").read_text(), 16)
    certificate = _certificate(name, address, key.public_key(), issuer, serial).sign(
        signer, hashes.SHA256()
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM).decode()
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()
    write(ssl / "private_keys" / f"{name}.pem", private, 0o600)
    for folder in (ssl / "certs", ca / "signed"):
        write(folder / f"{name}.pem", pem)
    _book(ca, serial, certificate)


def _certificate(
    name: str, address: str, key: rsa.RSAPublicKey, issuer: x509.Certificate, serial: int
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    names = [x509.DNSName(name), x509.IPAddress(ipaddress.ip_address(address))]
    usage = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(issuer.subject)
        .public_key(key)
        .serial_number(serial)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=3650))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage(usage), critical=True)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
    )


def _book(ca: Path, serial: int, certificate: x509.Certificate) -> None:
    """Enter it into the CA's books, as the CA would: next serial, and a line in the inventory."""
    (ca / "serial").write_text(f"{serial + 1:04X}")
    start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    with (ca / "inventory.txt").open("a") as inventory:
        line = f"0x{serial:04x} {start:%Y-%m-%dT%H:%M:%SUTC} {end:%Y-%m-%dT%H:%M:%SUTC}"
        inventory.write(f"{line} /{certificate.subject.rfc4514_string()}\n")
