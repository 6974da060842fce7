"""What a run leaves to later ones: JSON in an Airflow Variable, which people can read and mend."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from airflow.sdk import Variable
from airflow.sdk.exceptions import AirflowRuntimeError
from pydantic import TypeAdapter, ValidationError

from snowmelt.errors import Refused, SnowmeltError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class JsonVariable(Generic[T]):
    """One Variable, written by one run at a time; *shape* is what its JSON has to be."""

    name: str
    shape: type[T]
    empty: Callable[[], T]
    description: str

    def read(self) -> T:
        """Return what was kept, `empty()` when nothing was. `Refused`: somebody has spoilt it.

        Airflow's own reader of JSON takes broken JSON for a Variable that is not there, and so it
        does with an API server that is away: what was known would be written over.
        """
        text = Variable.get(self.name, default=None)
        if text is None:
            self._must_be_unknown()
            return self.empty()
        try:
            return TypeAdapter(self.shape).validate_json(text)
        except ValidationError as error:
            raise Refused(f"{self._told(error)}: mend it, or delete it to begin anew") from error

    def write(self, value: T) -> None:
        """Keep this in place of what was kept."""
        text = TypeAdapter(self.shape).dump_json(value, indent=2).decode()
        Variable.set(self.name, text, description=self.description)

    def forget(self) -> None:
        """Keep nothing."""
        Variable.delete(self.name)

    def _must_be_unknown(self) -> None:
        try:
            known = self.name in list(Variable.keys(prefix=self.name))
        except AirflowRuntimeError as error:
            raise SnowmeltError(
                f"Airflow cannot say whether it has a Variable {self.name}: {error}"
            ) from error
        if known:
            raise SnowmeltError(f"Airflow has a Variable {self.name} and could not read it")

    def _told(self, error: ValidationError) -> str:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "all of it"
        name = f"Airflow's Variable {self.name} (Admin → Variables)"
        return f"{name} cannot be read: {place}: {first['msg']}"
