"""Images that we brought in and that nothing uses: a refresh that broke off left them."""

from __future__ import annotations

from collections.abc import Iterator

from include.audit.facts import FleetFacts
from include.audit.finding import Finding


def images(facts: FleetFacts) -> Iterator[Finding]:
    """Yield each of them. They are listed only: what removes images looks at all of a family."""
    for image in (image for found in facts.images.values() for image in found):
        yield Finding(
            system="OpenNebula",
            thing=f"image {image.image_id} {image.name}",
            kind="held",
            reason=f"it is {image.state}; no VM and no VM template uses it",
            since=image.registered_at,
            doubt="clean_up removes it, once it cannot be on its way into a VM template",
        )
