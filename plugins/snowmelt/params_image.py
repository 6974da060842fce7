"""The form of `refresh_image`."""

from __future__ import annotations

from airflow.sdk import Param

# Both become part of the image's name, which OpenNebula limits to 128 characters.
_FAMILY = r"^[A-Za-z0-9][A-Za-z0-9_.-]*$(?!\n)"
_VERSION = r"^[A-Za-z0-9][A-Za-z0-9_.+~-]*$(?!\n)"
_PATH = r"^(/|https?://)[^\s\"'\[\]]+$(?!\n)"


def refresh_params() -> dict[str, Param]:
    """Return the parameters in the order of the form."""
    return {
        "image": Param(
            type="string",
            pattern=_FAMILY,
            maxLength=80,
            title="Image",
            description="Whose new version it is, by the name that the VM templates use, without"
            " a version: debian-12.",
        ),
        "version": Param(
            type="string",
            pattern=_VERSION,
            maxLength=40,
            title="Version",
            description="Of your own choosing: 20261124. The same version again finds what is"
            " there already.",
        ),
        "path": Param(
            None,
            type=["null", "string"],
            pattern=_PATH,
            maxLength=500,
            title="Path or URL",
            description="Where the front-end finds it. Empty: it comes from a marketplace app.",
        ),
        "app": Param(
            None,
            type=["null", "integer"],
            minimum=0,
            title="Marketplace app",
            description="Its id (`onemarketapp list`). Empty: it comes from a path or URL.",
        ),
        "import_minutes": Param(
            60,
            type="integer",
            minimum=1,
            maximum=1440,
            title="Minutes for the copy",
            description="An image that is not READY by then is removed.",
        ),
        "cloud": Param(
            None,
            type=["null", "string"],
            maxLength=128,
            title="OpenNebula",
            description="Id of its Airflow Connection. Empty: the one that all services are on.",
        ),
        "dry_run": Param(
            False, type="boolean", title="Dry run", description="Print the plan, change nothing."
        ),
    }
