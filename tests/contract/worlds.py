"""What scenarios stand on: image, network, security group and VM template, made as recorded."""

from __future__ import annotations

from tests.contract.cloud import Cloud


def image(cloud: Cloud) -> None:
    """The image base-os-1, READY."""
    cloud.do("images/01-allocate-path")
    cloud.until("images/04-info-ready")


def network(cloud: Cloud) -> None:
    """The network app-net: 20 addresses from 192.168.0.7."""
    empty_network(cloud)
    cloud.do("vnets/22-update-append")


def empty_network(cloud: Cloud) -> None:
    """app-net as it is made; its driver answers in a moment, until then it is LOCKED."""
    cloud.do("vnets/01-allocate")
    cloud.at_once("vnets/02-info")
    cloud.until("vnets/03-info-decrypt")


def ethernet(cloud: Cloud) -> None:
    """The network eth-net: four MAC addresses without IPs."""
    cloud.do("vnets/24-allocate-ethernet-ar")
    cloud.at_once("vnets/25-info-ethernet-ar")
    cloud.until_value("one.vn.info", cloud.known.ids["vnet", 4], "STATE", "1")


def two_addresses(cloud: Cloud) -> None:
    """The network tiny-net: 10.0.0.10 and .11."""
    cloud.do("vnets/26-allocate-tiny")
    cloud.until_value("one.vn.info", cloud.known.ids["vnet", 5], "STATE", "1")


def group(cloud: Cloud) -> None:
    """The security group web."""
    cloud.do_all("secgroups/02-allocate", "secgroups/06-update-replace")


def template(cloud: Cloud) -> None:
    """The template app, and all that it refers to."""
    image(cloud)
    network(cloud)
    group(cloud)
    cloud.do_all(
        "templates/01-allocate",
        "templates/02-info",
        "templates/08-update-merge",
        "templates/09-info-after-merge",
        "templates/15-update-with-dict-pyone",
        "templates/16-info-after-dict",
    )


def tiny(cloud: Cloud) -> None:
    """The template tiny: no disk, no network, no context."""
    cloud.do_all(
        "templates/10-allocate-small",
        "templates/11-update-replace",
        "templates/12-info-after-replace",
    )
