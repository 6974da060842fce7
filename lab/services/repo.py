"""The package repository: static files over HTTP. What protects them is the archive's signature."""

from __future__ import annotations

from lab.services.base import Service, answers
from lab.settings import SERVICES_IP, Places
from lab.supervisor import Program

PORT = 8000


def service(places: Places) -> Service:
    """Ready means: the signed index can be fetched."""
    folder = places.of("repo")
    command = ["/usr/bin/python3", "-m", "http.server", "--protocol", "HTTP/1.1"]
    return Service(
        program=Program(
            name="repo",
            command=[*command, "--bind", SERVICES_IP, "--directory", str(folder), str(PORT)],
        ),
        prepare=lambda: None,
        ready=lambda: answers(SERVICES_IP, PORT, "/InRelease", b"BEGIN PGP", tls=False),
        needs=("releases",),
    )
