"""From YAML files to services. Every mistake names its file, its field and the way to mend it."""

from __future__ import annotations

import os
from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError

from include.catalogue.model import Service
from include.catalogue.types import Part

P = TypeVar("P", bound=Part)

DEFAULT_FOLDER = Path(__file__).parent / "services"
FOLDER_VARIABLE = "SNOWMELT_CATALOGUE"
REQUESTS_VARIABLE = "SNOWMELT_REQUESTS"


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in one file."""

    file: Path
    field: str  # dotted path, or "" for the file as a whole
    fix: str

    def __str__(self) -> str:
        return (
            f"{self.file}: {self.field}: {self.fix}" if self.field else f"{self.file}: {self.fix}"
        )


class CatalogueError(ValueError):
    """The catalogue is wrong; `problems` has every mistake of every file that was read."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in problems))


class _OnceLoader(yaml.CSafeLoader):
    """YAML takes the last of two equal keys in silence; a catalogue does not.

    libyaml reads a service in 0.5 ms, the Python parser in 3.5 ms, at every start of a task.
    """

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                break  # the parser says what is wrong with it
            if key.value in seen:
                problem = f"{key.value} is there twice"
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep=deep)

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """Name the line of what looks like a date and is none: PyYAML raises a plain ValueError."""
        try:
            return super().construct_object(node, deep=deep)
        except ValueError as error:
            problem = f"{node.value}: {error}"
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark) from error


def catalogue_folder(folder: Path | None = None) -> Path:
    """Return *folder*, else what SNOWMELT_CATALOGUE says, else the one beside this file."""
    return folder or Path(os.environ.get(FOLDER_VARIABLE) or DEFAULT_FOLDER)


def requests_folder() -> Path | None:
    """Return where the services that people asked for are kept; None where nobody can ask."""
    found = os.environ.get(REQUESTS_VARIABLE)
    return Path(found) if found else None


def service_names(folder: Path | None = None) -> tuple[str, ...]:
    """Return the names of all services, in order, without reading a file.

    Unless *folder* says where to look, those that people asked for are among them.
    """
    asked = None if folder else requests_folder()
    places = [catalogue_folder(folder), *([asked] if asked else ())]
    return tuple(sorted({path.stem for place in places for path in place.glob("*.yaml")}))


def requested_names() -> tuple[str, ...]:
    """Return the names of the services that people asked for."""
    folder = requests_folder()
    return tuple(sorted(path.stem for path in folder.glob("*.yaml"))) if folder else ()


def load_service(name: str, folder: Path | None = None) -> Service:
    """Return one service. Reads that one file only; raises `CatalogueError`."""
    service = _read(_file(name, folder))
    if isinstance(service, Service):
        return service
    raise CatalogueError(service)


def try_all(folder: Path | None = None) -> tuple[dict[Path, Service], list[Problem]]:
    """Return the services that can be read, by file, and the mistakes of all others."""
    files = [_file(name, folder) for name in service_names(folder)]
    read = {file: _read(file) for file in files}
    problems = [p for found in read.values() if isinstance(found, list) for p in found]
    return {f: found for f, found in read.items() if isinstance(found, Service)}, problems


def _file(name: str, folder: Path | None) -> Path:
    """Return the file of a service; the catalogue's own comes before one that was asked for."""
    own, asked = catalogue_folder(folder) / f"{name}.yaml", requests_folder()
    if folder or asked is None or own.exists() or not (asked / own.name).exists():
        return own
    return asked / own.name


def parse(file: Path, kind: type[P]) -> P | list[Problem]:
    """Return what a file holds, as a *kind*, or its mistakes; raises `FileNotFoundError`."""
    try:
        return kind.model_validate(_OnceLoader(file.read_bytes()).get_single_data())
    except yaml.MarkedYAMLError as error:
        return [Problem(file, _place(error), str(error.problem))]
    except yaml.YAMLError as error:  # a byte that is no text
        return [Problem(file, "", " ".join(str(error).split()))]
    except ValidationError as error:
        return mistakes(file, error)
    except FileNotFoundError:
        raise  # what that means, each caller knows
    except OSError as error:
        fix = f"{error.strerror}: Airflow's account (uid {os.getuid()}) has to read it"
        return [Problem(file, "", fix)]


def mistakes(file: Path, error: ValidationError, *part: str) -> list[Problem]:
    """Return what is wrong with a file, or with one part of it."""
    return [Problem(file, _path((*part, *e["loc"])), _fix(e)) for e in error.errors()]


def _read(file: Path) -> Service | list[Problem]:
    try:
        service = parse(file, Service)
    except FileNotFoundError:
        return [Problem(file, "", f"no such service; there are {_choices(file.parent)}")]
    if isinstance(service, Service) and service.name != file.stem:
        return [Problem(file, "name", f"is {service.name}: name the file {service.name}.yaml")]
    if isinstance(service, Service) and not service.expires_at and file.parent == requests_folder():
        return [Problem(file, "expires_at", "is missing: what was asked for has an end")]
    return service


def _choices(folder: Path) -> str:
    return ", ".join(service_names(folder)) or f"none in {folder}"


def _place(error: yaml.MarkedYAMLError) -> str:
    return f"line {error.problem_mark.line + 1}" if error.problem_mark else ""


def _path(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location)


def _fix(error: Any) -> str:
    """Say what to do about one pydantic error, for the mistakes that people make most."""
    kind, given = error["type"], error["input"]
    if kind == "extra_forbidden":
        return "unknown key: is it misspelt or in the wrong place?"
    if kind == "missing":
        return "is missing: add it"
    if kind == "string_type" and isinstance(given, int | float):
        return f'is a number: put it in quotes, "{given}"'
    if kind == "value_error":
        return str(error["ctx"]["error"])
    return f"{error['msg']}, not {given!r}"
