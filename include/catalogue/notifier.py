"""Who carries a message to people: an Airflow notifier, in the words of a catalogue file."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from include.catalogue.types import ClassPath, Part


class Notifier(Part):
    """Who carries a message: an Airflow notifier."""

    notifier: ClassPath
    """Class of the notifier: airflow.providers.smtp.notifications.smtp.SmtpNotifier."""
    arguments: dict[str, Any] = Field(default_factory=dict)
    """What the notifier is made with, by name. Templates: they know what there is to tell."""
