"""connections.json: how the product reaches this lab, in the form of Airflow Connections."""

from __future__ import annotations

import json
import os
from typing import Any

from lab.services import firewall, haproxy, icinga, knot
from lab.services.base import secret, write
from lab.services.certificates import CLIENT
from lab.settings import BALANCER_IP, REVERSE_ZONE, SERVICES_IP, UID, ZONE, Places

PRODUCT = "snowmelt"  # the product's account at OpenNebula: not an administrator


def connections(places: Places) -> dict[str, dict[str, Any]]:
    """Connection id -> conn_type, host, port, login, password, extra."""
    secrets = places.secrets
    tls = {
        "ca_file": str(secrets / "puppet-ca.pem"),
        "cert_file": str(secrets / f"{CLIENT}.pem"),
        "key_file": str(secrets / f"{CLIENT}.key"),
    }
    zones = [ZONE, REVERSE_ZONE]
    return {
        "snowmelt_opennebula": {
            "conn_type": "opennebula",
            "host": f"http://one.{ZONE}:2633/RPC2",
            "login": PRODUCT,
            "password": secret(secrets / "opennebula"),
        },
        "snowmelt_puppet_ca": {
            "conn_type": "puppet_ca",
            "host": f"puppet.{ZONE}",
            "port": 8140,
            "password": secret(secrets / "enrolment-key", length=48),
            "extra": tls,
        },
        "snowmelt_puppetdb": {
            "conn_type": "puppetdb",
            "host": f"puppetdb.{ZONE}",
            "port": 8081,
            "extra": tls,
        },
        "snowmelt_nameserver": {
            "conn_type": "nameserver",
            "host": SERVICES_IP,
            "port": 53,
            "login": knot.KEY_NAME,
            "password": knot.key(places),
            "extra": {"algorithm": knot.ALGORITHM, "zones": zones},
        },
        "snowmelt_balancer": {
            "conn_type": "haproxy",
            "host": BALANCER_IP,
            "port": haproxy.API_PORT,
            "extra": tls,
        },
        "snowmelt_monitoring": {
            "conn_type": "icinga2",
            "host": f"icinga.{ZONE}",
            "port": 5665,
            "login": icinga.USER,
            "password": icinga.password(places),
            "extra": {"ca_file": str(secrets / "icinga-ca.pem")},
        },
        "snowmelt_firewall": {
            "conn_type": "nftables",
            "host": SERVICES_IP,
            "port": firewall.PORT,
            "login": "root",
            "extra": {
                "table": " ".join(firewall.TABLE),
                "key_file": str(firewall.key_file(places)),
                "host_key": firewall.host_key(places),
            },
        },
        "snowmelt_airflow_db": {  # for `clean_up`: a task has no other way to Airflow's own tables
            "conn_type": "postgres",
            "host": "127.0.0.1",
            "port": 5432,
            "login": "airflow",
            "password": secret(secrets / "postgres-airflow"),
            "schema": "airflow",
        },
    }


def save(places: Places) -> None:
    """Write connections.json: mode 0600, for the account that Airflow runs under."""
    path = places.state / "connections.json"
    write(path, json.dumps(connections(places), indent=2) + "\n", 0o600)
    os.chown(path, UID, UID)
