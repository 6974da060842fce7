"""What Airflow has to know of this package: connection types with their forms, and links.

Airflow calls this while it reads its configuration, so nothing is imported here but the standard
library. Fields of the forms end up in the Connection's extra, under the same names.
"""

from __future__ import annotations

from typing import Any

_Field = dict[str, Any]


def get_provider_info() -> dict[str, Any]:
    """Return the provider's description (airflow/provider_info.schema.json)."""
    return {
        "package-name": "snowmelt",
        "name": "Snowmelt",
        "description": "The whole life of every VM in a private cloud as DAGs.",
        "connection-types": [
            _opennebula(),
            _puppet_ca(),
            _puppetdb(),
            _nameserver(),
            _haproxy(),
            _icinga2(),
            _nftables(),
        ],
        "extra-links": [
            "snowmelt.links.VmLink",
            "snowmelt.links.PuppetReportLink",
            "snowmelt.links.MonitoringLink",
            "snowmelt.links.RolloutLink",
        ],
    }


def _text(label: str, description: str = "", default: str | None = None) -> _Field:
    return {
        "label": label,
        "description": description,
        "schema": {"type": ["string", "null"], "default": default},
    }


def _number(label: str, description: str, default: int) -> _Field:
    return {
        "label": label,
        "description": description,
        "schema": {"type": ["integer", "null"], "default": default, "minimum": 1},
    }


def _ca_file() -> dict[str, _Field]:
    return {"ca_file": _text("CA file", "PEM file with the server's CA; empty: the system's CAs")}


def _client_certificate() -> dict[str, _Field]:
    return {
        **_ca_file(),
        "cert_file": _text("Certificate file", "PEM file with our own certificate"),
        "key_file": _text("Key file", "PEM file with the private key of that certificate"),
    }


def _web(what: str, example: str) -> dict[str, _Field]:
    return {"web": _text("Web page", f"address of a {what}, for links from tasks: {example}")}


def _form(
    conn_type: str,
    name: str,
    hook: str,
    fields: dict[str, _Field],
    *,
    hidden: tuple[str, ...],
    relabeling: dict[str, str],
    placeholders: dict[str, str],
) -> dict[str, Any]:
    return {
        "connection-type": conn_type,
        "hook-class-name": f"snowmelt.hooks.{hook}",
        "hook-name": name,
        "conn-fields": fields,
        "ui-field-behaviour": {
            "hidden-fields": [*hidden, "extra"],
            "relabeling": relabeling,
            "placeholders": placeholders,
        },
    }


def _opennebula() -> dict[str, Any]:
    return _form(
        "opennebula",
        "OpenNebula",
        "opennebula.OpenNebulaHook",
        {
            "verify": _text("Verify TLS", "true, false, or a CA file (PEM)", "true"),
            "max_connections": _number(
                "Connections at once", "of one process; oned serves 15 in all", 4
            ),
            **_web("VM", "https://one.example.org/fireedge/sunstone/vm/{vm_id}"),
        },
        hidden=(),
        relabeling={"host": "Host or URI", "schema": "http or https", "login": "User"},
        placeholders={
            "host": "https://one.example.org:2633/RPC2",
            "password": "password or login token",
        },
    )


def _puppet_ca() -> dict[str, Any]:
    return _form(
        "puppet_ca",
        "Puppet CA",
        "puppet_ca.PuppetCaHook",
        _client_certificate(),
        hidden=("schema", "login"),
        relabeling={"password": "Enrolment key"},
        placeholders={
            "host": "puppet.example.org",
            "port": "8140",
            "password": "random, 16 bytes at least",
        },
    )


def _puppetdb() -> dict[str, Any]:
    return _form(
        "puppetdb",
        "PuppetDB",
        "puppetdb.PuppetDbHook",
        {
            **_client_certificate(),
            **_web("VM's reports", "https://puppetboard.example.org/reports/{certname}"),
        },
        hidden=("schema", "login", "password"),
        relabeling={},
        placeholders={"host": "puppetdb.example.org", "port": "8081"},
    )


def _nameserver() -> dict[str, Any]:
    return _form(
        "nameserver",
        "Name server (RFC 2136)",
        "nameserver.NameServerHook",
        {
            "algorithm": _text("TSIG algorithm", default="hmac-sha256"),
            "zones": _text("Zones", "all that are ours, forward and reverse, with commas between"),
        },
        hidden=("schema",),
        relabeling={"login": "TSIG key name", "password": "TSIG secret (base64)"},
        placeholders={"host": "the primary", "port": "53"},
    )


def _haproxy() -> dict[str, Any]:
    return _form(
        "haproxy",
        "HAProxy",
        "haproxy.HaproxyHook",
        {
            **_client_certificate(),
            "socket": _text("Socket", "path of a local runtime socket, instead of host and port"),
            "stick_expire_s": _number(
                "Stick-table expire (s)", "as in the configuration; HAProxy does not tell it", 1800
            ),
            "server_options": _text(
                "Server options", "of all new members, which no default-server reaches: check-ssl …"
            ),
        },
        hidden=("schema", "login", "password"),
        relabeling={},
        placeholders={"host": "lb.example.org", "port": "9443"},
    )


def _icinga2() -> dict[str, Any]:
    return _form(
        "icinga2",
        "Icinga 2",
        "icinga2.Icinga2Hook",
        {**_ca_file(), **_web("host", "https://icinga.example.org/icingadb/host?name={host}")},
        hidden=("schema",),
        relabeling={"login": "API user"},
        placeholders={"host": "icinga.example.org", "port": "5665"},
    )


def _nftables() -> dict[str, Any]:
    return _form(
        "nftables",
        "Firewall (nftables)",
        "nftables.NftablesHook",
        {
            "table": _text("Table", "family and name: inet central", "inet filter"),
            "key_file": _text(
                "Key file", "our private key, OpenSSH's format, without a passphrase"
            ),
            "host_key": _text("Host key", "the firewall's, as in known_hosts: ssh-ed25519 AAAA…"),
        },
        hidden=("schema", "password"),
        relabeling={"login": "User"},
        placeholders={"host": "firewall.example.org", "port": "22", "login": "snowmelt"},
    )
