"""The hook event bus: topics, frames and documents of one VM's life."""

from tests.contract import bus, worlds
from tests.contract.cloud import Cloud
from tests.contract.registry import Need, scenario

LIKE = "templates/20-instantiate-hold"


@scenario(Need.ADMIN, Need.HOSTS, Need.EVENTS)
def life_of_a_vm_is_published(cloud: Cloud) -> None:
    """Two copies of each state (three with SERVICE_ID), and an event per call that changes."""
    worlds.template(cloud)
    with bus.listening(cloud) as listener:
        cloud.make_vm(24, "hooked-0", extra='POOL="blue"\nSERVICE_ID="77"')
        cloud.until_placed_by_scheduler(24)
        cloud.ask("vm-update/01-merge", 24, 'READY="YES"', 1)
        cloud.ask_action("vm-actions/33-terminate", "terminate", 24)
        cloud.until_state(24, 6)
        seen = listener.messages_of(24)
    bus.compare(cloud, seen)
    cloud.seen.append(("EVENTS", 0))
