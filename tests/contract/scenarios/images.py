"""Images: states, lists, who uses them, deletion."""

from tests.contract import tree, worlds
from tests.contract.cloud import Cloud
from tests.contract.registry import Need, scenario


@scenario(Need.ADMIN, Need.HOSTS)
def images_are_allocated_and_refused(cloud: Cloud) -> None:
    """Allocation answers before the copy is done; each bad text or place has its own error."""
    worlds.image(cloud)
    cloud.do_all(
        "images/05-allocate-duplicate-name",
        "images/06-allocate-no-path",
        "images/07-allocate-unknown-ds",
        "images/08-allocate-into-system-ds",
        "images/09-allocate-datablock",
        "images/13-update-append",
        "images/21-info-missing",
    )
    if cloud.live:
        _ready(cloud, 1)
    cloud.do_all("images/14-persistent", "images/15-persistent-back", "images/16-clone")
    if cloud.live:
        _ready(cloud, 3)
    cloud.do("images/20-imagepool-info-type", ignore=("PREV_STATE",))
    for name in ("images/18-imagepool-info-page", "images/19-imagepool-info-page-0-2"):
        page = cloud.do(name, ignore=("PREV_STATE",))
        assert len(tree.parse(page.value).children) == 2
    cloud.do_all("images/22-enable-false", "images/23-info-disabled", "images/24-enable-true")


@scenario(Need.ADMIN, Need.HOSTS, Need.SWITCHES)
def image_is_locked_while_it_is_copied(cloud: Cloud) -> None:
    """A slow copy: LOCKED, not deletable; then READY. A copy that fails ends in ERROR."""
    cloud.switches.slow("image", "base-os-1")
    cloud.do_all(
        "images/01-allocate-path", "images/02-info-locked", "images/03-delete-while-locked"
    )
    cloud.until("images/04-info-ready")
    cloud.switches.fail("image", "broken-1")
    cloud.do("images/10-allocate-that-fails")
    cloud.until("images/11-info-error")
    cloud.do("images/12-delete-error-image")
    cloud.made.remove(("image", cloud.known.ids["image", 2]))


@scenario(Need.ADMIN, Need.HOSTS)
def image_in_use_is_not_deleted(cloud: Cloud) -> None:
    """USED while a VM on HOLD has it, READY again when that is DONE, then gone for good."""
    worlds.tiny(cloud)
    cloud.do("images/31-allocate-2")
    if cloud.live:
        _ready(cloud, 4)
    image = cloud.known.ids["image", 4]
    cloud.make_vm(28, "uses-it", template=2, hold=True, extra='DISK=[IMAGE_ID="4"]')
    cloud.do_all("images/32-info-used-by-held-vm", "images/33-delete-used")
    cloud.ask_action("vm-actions/01-terminate-held", "terminate", 28)
    cloud.until("images/34-info-ready-again")
    cloud.do("images/35-delete")
    cloud.made.remove(("image", image))
    # It is readable for a moment after: in state 7 to whoever comes in time, as the recorder did.
    info = cloud.ask_or_missing("images/36-info-after-delete", image)
    assert info.code == 0x0400 or "<STATE>7</STATE>" in info.value, info


@scenario(Need.ADMIN, Need.HOSTS)
def image_lists_its_running_vms(cloud: Cloud) -> None:
    """RUNNING_VMS and VMS name the users; a delete counts them."""
    worlds.template(cloud)
    cloud.do("images/13-update-append")
    cloud.do("templates/21-instantiate-duplicate-vm-name")
    cloud.do_all("images/30-info-used", "errors/05-image-delete-in-use")


@scenario()
def missing_image_is_not_deleted(cloud: Cloud) -> None:
    """0x0400 carries the id that does not exist."""
    cloud.ask_missing("one.image.delete", 9999)


def _ready(cloud: Cloud, recorded: int) -> None:
    """Wait for an image to leave LOCKED."""
    cloud.until_value("one.image.info", cloud.known.ids["image", recorded], "STATE", "1")
