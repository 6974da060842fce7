"""The error family. Retry is the default; "never again" is a type."""

from __future__ import annotations

from collections.abc import Sequence

from airflow.sdk.exceptions import AirflowFailException


class SnowmeltError(Exception):
    """Something outside failed in a way that may pass. Airflow retries the task."""


class Unreachable(SnowmeltError):
    """No answer, a refused connection, a 5xx or a busy lock."""


class Busy(SnowmeltError):
    """The thing is in a state that does not allow this yet; it will pass by itself."""


class Refused(SnowmeltError, AirflowFailException):
    """Trying again cannot help: somebody has to change something first. Airflow does not retry."""


class Missing(Refused):
    """Something that has to exist does not: a VM template, a network, a zone, a pool."""


class Conflict(Refused):
    """Something that is not ours stands under our name. It is never overwritten."""


class NotAllowed(Refused):
    """The account behind the Connection may not do this."""


class OutOfRoom(SnowmeltError):
    """A quota, the addresses of a network or the room on the hosts is used up."""


def raise_all(failed: Sequence[SnowmeltError]) -> None:
    """Raise one error for several, final only when every one of them is; a single one as it is."""
    if len(failed) == 1:
        raise failed[0]
    if failed:
        final = all(isinstance(error, Refused) for error in failed)
        raise (Refused if final else SnowmeltError)("; ".join(map(str, failed)))
