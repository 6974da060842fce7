"""Security groups, hosts and datastores: what the product reads, and what scenarios stand on."""

from tests.contract.cloud import Cloud
from tests.contract.registry import Need, scenario


@scenario(Need.ADMIN)
def security_groups_are_made_changed_and_committed(cloud: Cloud) -> None:
    """Rules are repeated elements; group 0 cannot be deleted."""
    cloud.do_all(
        "secgroups/01-info-default",
        "secgroups/02-allocate",
        "secgroups/03-info",
        "secgroups/04-allocate-duplicate-name",
        "secgroups/05-allocate-bad-rule",
        "secgroups/06-update-replace",
        "secgroups/07-commit",
        "secgroups/08-info-after-commit",
        "secgroups/09-secgrouppool-info",
        "secgroups/10-delete-default",
    )


@scenario(Need.ADMIN, Need.OWN)
def hosts_are_made_disabled_and_enabled(cloud: Cloud) -> None:
    """A host is INIT, then MONITORED by itself, DISABLED and enabled by a call."""
    for recorded in range(3):
        del cloud.known.ids["host", recorded]
    cloud.do_all(
        "hosts/01-allocate",
        "hosts/03-info-init",
        "hosts/02-allocate-duplicate-name",
        "hosts/04-allocate-unknown-cluster",
        "hosts/05-info-missing",
        "hosts/06-allocate-2",
        "hosts/07-allocate-3",
    )
    cloud.until("hosts/09-info-monitored", only=("STATE", "NAME", "IM_MAD", "VM_MAD", "VMS"))
    cloud.until_value("one.host.info", cloud.known.ids["host", 2], "STATE", "2")
    cloud.do("hosts/10-disable")
    cloud.until("hosts/11-info-disabled", only=("STATE", "NAME", "CLUSTER_ID", "VMS"))
    cloud.do("hosts/12-enable")


@scenario(Need.ADMIN, Need.HOSTS)
def datastores_are_made_and_listed(cloud: Cloud) -> None:
    """An image datastore is TYPE 0, a system datastore TYPE 1."""
    for recorded in (0, 100, 101):
        del cloud.known.ids["datastore", recorded]
    cloud.do_all("datastores/05-allocate-image-ds", "datastores/06-allocate-system-ds")
    cloud.do_all("datastores/07-datastore-info", "datastores/08-datastorepool-info")
