"""Templates: making, reading and changing them."""

from tests.contract import worlds
from tests.contract.cloud import Cloud
from tests.contract.registry import Need, scenario


@scenario(Need.ADMIN)
def templates_are_made_changed_and_listed(cloud: Cloud) -> None:
    """Text and XML are taken, names are unique, a bad text is refused."""
    worlds.template(cloud)
    cloud.do_all(
        "templates/04-allocate-duplicate-name",
        "templates/05-allocate-bad-syntax",
        "templates/06-allocate-no-name",
        "templates/07-allocate-from-xml",
    )
    worlds.tiny(cloud)
    # The list was recorded before the update by templates/15, so app differs in two attributes.
    cloud.do("templates/13-templatepool-info", ignore=("PYONE", "START"))
    cloud.do_all("templates/14-clone", "errors/06-template-delete-ok")
    cloud.made.remove(("template", cloud.known.ids["template", 3]))


@scenario(Need.ADMIN)
def extended_template_names_its_image(cloud: Cloud) -> None:
    """`extended` merges the image's attributes into DISK; the product never asks for it."""
    worlds.template(cloud)
    # Recorded before templates/08 and /15 had added or changed these three.
    cloud.do("templates/03-info-extended", ignore=("PYONE", "START", "RELEASE"))


@scenario()
def missing_templates_are_said_to_be_missing(cloud: Cloud) -> None:
    """0x0400 carries the id that does not exist."""
    cloud.do("templates/17-instantiate-missing")
    cloud.ask_missing("one.template.info", 9999)
    cloud.ask_missing("one.template.update", 9999, "A=1", 1)
