"""OpenNebula's front-end, the one part of the lab that is our own (`lab/opennebula`)."""

from __future__ import annotations

import sys

from lab.services.base import Service, listens, secret
from lab.settings import CHECKOUT, NETNS, SERVICES_IP, Places
from lab.supervisor import Program

PORT = 2633


def available() -> bool:
    """Whether this checkout holds the front-end."""
    return (CHECKOUT / "lab" / "opennebula" / "__main__.py").is_file()


def admin_password(places: Places) -> str:
    """oneadmin's password: root's alone, the product never sees it."""
    return secret(places.secrets / "oneadmin", owner=0)


def service(places: Places) -> Service:
    """Ready means: it listens for XML-RPC. It is the hypervisor too, so it runs as root."""
    home = places.of("opennebula")
    options = {
        "--state": str(home),
        "--listen": f"{SERVICES_IP}:{PORT}",
        "--onegate": f"{SERVICES_IP}:5030",
        "--onegate-endpoint": f"http://{SERVICES_IP}:5030",
        "--events": "tcp://127.0.0.1:2101",  # it shows whole templates, tokens too: not for VMs
        "--admin-socket": str(home / "admin.sock"),
        "--password-file": str(places.secrets / "oneadmin"),
    }
    arguments = [word for option in options.items() for word in option]
    return Service(
        program=Program(
            name="opennebula",
            command=[sys.executable, "-m", "lab.opennebula", *arguments],
            user="root",
            environment={"SNOWMELT_LAB_STATE": str(places.state), "SNOWMELT_LAB_NETNS": NETNS},
            directory=CHECKOUT,
        ),
        prepare=lambda: _prepare(places),
        ready=lambda: listens(SERVICES_IP, PORT),
    )


def _prepare(places: Places) -> None:
    places.of("opennebula").mkdir(parents=True, exist_ok=True, mode=0o700)
    admin_password(places)
