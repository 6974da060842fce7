"""OneGate: a guest reports by HTTP, with the token from its context."""

from tests.contract import raw_http, worlds
from tests.contract.cloud import Cloud
from tests.contract.registry import Need, scenario


@scenario(Need.ADMIN, Need.ONEGATE)
def wrong_or_no_token_is_refused(cloud: Cloud) -> None:
    """401 "Not authorized", and nothing is changed."""
    worlds.template(cloud)
    cloud.make_vm(16, "upd-renamed", hold=True)
    for name in ("onegate/03-put-wrong-token.txt", "onegate/05-put-no-token.txt"):
        raw_http.repeat_onegate(cloud, name, vm=16)


@scenario(Need.ADMIN, Need.HOSTS, Need.ONEGATE, Need.TOKEN)
def guest_reports_ready(cloud: Cloud) -> None:
    """READY=YES lands in USER_TEMPLATE; SERVICE_ID is refused; attributes are deleted by type 2."""
    worlds.template(cloud)
    cloud.make_vm(16, "upd-0")
    cloud.place(16)
    cloud.until_state(16, 3, 3)
    cloud.do_all("vm-update/03-replace", "vm-update/09-rename")
    for name in (
        "onegate/01-put-ready.txt",
        "onegate/02-get-vm.txt",
        "onegate/04-put-restricted.txt",
        "onegate/06-put-custom.txt",
    ):
        raw_http.repeat_onegate(cloud, name, vm=16)
    if cloud.live:
        info = cloud.document("one.vm.info", cloud.known.ids["vm", 16])
        assert info.value("USER_TEMPLATE/READY") == "YES"
        assert info.value("USER_TEMPLATE/RELEASE_RUNNING") == "2026.11.22-1"
        assert info.value("USER_TEMPLATE/SERVICE_ID") is None
    raw_http.repeat_onegate(cloud, "onegate/07-delete-attr.txt", vm=16)
    if cloud.live:
        info = cloud.document("one.vm.info", cloud.known.ids["vm", 16])
        assert info.value("USER_TEMPLATE/READY") is None
