"""Files with a component's configuration: what they say of its flags, and what of it is not heeded here."""

from __future__ import annotations

import logging
import pathlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import yaml

from pybernetes.cluster.hyperkube import flags as flags_
from pybernetes.cluster.hyperkube import values

log = logging.getLogger(__name__)

# Field, with dots where it is in another -> the flag, and how its value is read; that raises ValueError.
Fields = Mapping[str, tuple[str, Callable[[Any], Any]]]


class Configuration(NamedTuple):
    """Values of flags by name; and the fields that are upstream's, but say nothing here."""

    flags: dict[str, Any]
    unheeded: list[str]


def read(path: str, version: str, kind: str, fields: Fields, unheeded: Collection[str]) -> Configuration:
    """Raises FlagError that names the file and the field."""
    try:
        tree = yaml.safe_load(pathlib.Path(path).read_text())
    except OSError as error:
        raise flags_.FlagError(str(error)) from error
    except (yaml.YAMLError, ValueError) as error:
        raise flags_.FlagError(f"{path} is not YAML: {error}".replace("\n", " ")) from error
    if not isinstance(tree, dict) or (tree.pop("apiVersion", ""), tree.pop("kind", "")) != (version, kind):
        raise flags_.FlagError(f"{path} is no {kind} of {version}")
    nested = {name[:dot] for name in (*fields, *unheeded) for dot in _dots(name)}
    found, ignored = {}, []
    for field, value in _leaves(tree, "", nested):
        if field in fields:
            flag, reads = fields[field]
            try:
                found[flag] = reads(value)
            except ValueError as error:
                raise flags_.FlagError(f"{path}: {field}: {error}") from None
        elif field in unheeded:
            ignored.append(field)
        else:
            raise flags_.FlagError(f'{path}: strict decoding error: unknown field "{field}"')
    return Configuration(found, ignored)


def tell_unheeded(path: str, fields: Iterable[str]) -> None:
    """In the log, so that nobody relies on them."""
    for field in fields:
        log.warning("%s of %s says nothing here", field, path)


def _dots(name: str) -> list[int]:
    return [place for place, letter in enumerate(name) if letter == "."]


def _leaves(tree: Mapping[str, Any], prefix: str, nested: Collection[str]) -> Iterator[tuple[str, Any]]:
    """Fields with their values, but for those that are null, as if they were left out."""
    for name, value in tree.items():
        field = f"{prefix}{name}"
        if field in nested and isinstance(value, dict):
            yield from _leaves(value, f"{field}.", nested)
        elif value is not None:
            yield field, value


def text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("must be a string")
    return value


def boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("must be a whole number")
    return value


def texts(value: Any) -> list[str]:
    if not isinstance(value, list):
        raise ValueError("must be a list")
    return [text(one) for one in value]


def seconds(value: Any) -> float:
    return values.seconds(text(value))


def address(value: Any) -> str:
    return values.address(text(value))


def features(value: Any) -> list[str]:
    if not isinstance(value, dict):
        raise ValueError("must have true or false for each feature")
    return [f"{name}={str(boolean(on)).lower()}" for name, on in value.items()]
