"""Session, version, faults: what every call can meet."""

from tests.contract.cloud import Cloud
from tests.contract.registry import scenario


@scenario()
def version_is_told_to_whoever_has_a_session(cloud: Cloud) -> None:
    """A good session gets the version; three bad ones get the same refusal."""
    cloud.do_all(
        "system/01-version",
        "system/03-version-bad-password",
        "system/04-version-unknown-user",
        "system/05-session-without-colon",
    )


@scenario()
def every_call_refuses_a_wrong_session(cloud: Cloud) -> None:
    """The refusal names the call and looks the same for each call that the product makes."""
    for method, params in PRODUCT_CALLS.items():
        if cloud.live:
            answer = cloud.raw_as("wrong:session", method, *params)
            assert answer.code == 0x0100, f"{method}: {answer}"
            assert [item.kind for item in answer.items] == REFUSAL, f"{method}: {answer}"
            assert answer.value == f"[{method}] User couldn't be authenticated, aborting call."
        cloud.seen.append((method, 0x0100))


@scenario()
def wrong_parameters_are_faults(cloud: Cloud) -> None:
    """An unknown method and wrong parameters are XML-RPC faults, not OpenNebula errors."""
    cloud.do_all(
        "system/06-unknown-method",
        "system/07-vm-info-missing-params",
        "system/08-vm-info-wrong-type",
    )


REFUSAL = ["boolean", "string", "i4", "i4", "i8"]
PRODUCT_CALLS: dict[str, tuple[str | int | bool, ...]] = {
    "one.system.version": (),
    "one.user.info": (-1,),
    "one.vm.info": (0,),
    "one.vmpool.info": (-2, -1, -1, -1),
    "one.vmpool.infoextended": (-2, -1, -1, -1),
    "one.vmpool.infoset": ("0", True),
    "one.vm.action": ("terminate", 0),
    "one.vm.update": (0, "A=1", 1),
    "one.vm.updateconf": (0, "CONTEXT=[A=1]", 0),
    "one.vm.rename": (0, "a"),
    "one.vm.chmod": (0, *[-1] * 9),
    "one.vm.deploy": (0, 0, False, -1),
    "one.vm.recover": (0, 2),
    "one.vm.schedadd": (0, 'SCHED_ACTION=[ACTION="terminate",TIME="+9"]'),
    "one.vm.monitoring": (0,),
    "one.template.info": (0,),
    "one.templatepool.info": (-2, -1, -1),
    "one.template.instantiate": (0, "a", True, "", False),
    "one.template.update": (0, "A=1", 1),
    "one.image.info": (0,),
    "one.image.allocate": ('NAME="a"', 1),
    "one.image.delete": (0,),
    "one.imagepool.info": (-2, -1, -1),
    "one.vn.info": (0,),
    "one.vnpool.info": (-2, -1, -1),
    "one.vn.hold": (0, 'LEASES=[IP="10.0.0.1"]'),
    "one.vn.release": (0, 'LEASES=[IP="10.0.0.1"]'),
    "one.hostpool.info": (),
    "one.datastorepool.info": (),
}
