"""What each of Airflow's processes loads as it starts: the libraries that our hooks use.

A task is a fork of such a process and begins by parsing its DAG, which imports every hook. What
the parent has loaded costs the fork nothing: of 0.4 CPU-seconds of imports for each pass of a
worker, 0.3 were these. Our own code needs Airflow, which is not ready here: the plugin loads it.

Airflow looks for a module of this name. A site that has one of its own in `config/` may import this
one from there, or do without: everything works, and takes longer.
"""

from __future__ import annotations

from importlib import import_module

LIBRARIES = (
    "_strptime",
    "cryptography.hazmat.backends.openssl",
    "cryptography.x509",
    "dns.message",
    "dns.query",
    "dns.rdtypes.ANY.PTR",
    "dns.reversename",
    "dns.tsigkeyring",
    "dns.update",
    "dns.xfr",
    "dns.zone",
    "encodings.idna",
    "encodings.unicode_escape",
    "jinja2.ext",
    "pyone.server_xrpc",
    "pypuppetdb",
    "requests",
)
__all__: list[str] = []  # else all names here would become Airflow's settings

for library in LIBRARIES:
    import_module(library)
