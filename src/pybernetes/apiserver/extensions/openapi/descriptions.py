"""What the fields of the built-in types mean, in upstream's words, read from the `lightkube-models` package.

The package is read as text, never imported: its modules make hundreds of dataclasses, and only their docstrings are
wanted. They are wrapped to 78 columns; a line that ends before the next word had to go to the next one ends a
paragraph. Without the package there are no descriptions, and everything else is as it is.
"""

from __future__ import annotations

import functools
import importlib.metadata
import pathlib
import re
from collections.abc import Iterator
from typing import NamedTuple

PACKAGE = "lightkube-models"
WIDTH = 78
# Fields whose names are none in Python.
_RENAMED = {"d_ref": "$ref", "d_schema": "$schema"}

_CLASS = re.compile(r'^class (\w+)\(DictMixin\):\n    r?"""(.*?)"""', re.S | re.M)
_FIELD = re.compile(r"^ *\* \*\*(\w+)\*\* ``.*?`` - ", re.M)
_PARAMETERS = "**parameters**"


class Texts(NamedTuple):
    """Of a type as a whole, and by field."""

    whole: str
    fields: dict[str, str]


_NONE = Texts("", {})


def version() -> str:
    """Of the package, "" without it: part of what a document follows from."""
    try:
        return importlib.metadata.version(PACKAGE)
    except importlib.metadata.PackageNotFoundError:
        return ""


def of(name: str) -> Texts:
    """The texts of a definition such as `io.k8s.api.core.v1.Pod`."""
    *_, group, version, short = name.split(".")
    module = f"{group}_{version}" if version.startswith("v") else version
    docstring = _docstrings(module).get(short)
    return _NONE if docstring is None else _texts(docstring)


@functools.cache
def _docstrings(module: str) -> dict[str, str]:
    try:
        path = importlib.metadata.distribution(PACKAGE).locate_file(f"lightkube/models/{module}.py")
        text = pathlib.Path(str(path)).read_text(encoding="utf-8")
    except (importlib.metadata.PackageNotFoundError, OSError):
        return {}
    return {match[1]: match[2] for match in _CLASS.finditer(text)}


def _texts(docstring: str) -> Texts:
    whole, _, parameters = docstring.partition(_PARAMETERS)
    starts = list(_FIELD.finditer(parameters))
    ends = [match.start() for match in starts[1:]] + [len(parameters)]
    fields = {
        _RENAMED.get(match[1], match[1].removesuffix("_")): flowing(parameters[match.end() : end])
        for match, end in zip(starts, ends, strict=True)
    }
    return Texts(flowing(whole), fields)


def flowing(wrapped: str) -> str:
    """Wrapped lines as paragraphs."""
    return "".join(_joined([line.strip() for line in wrapped.strip().splitlines()]))


def _joined(lines: list[str]) -> Iterator[str]:
    for index, line in enumerate(lines):
        yield line
        if index + 1 == len(lines):
            return
        following = lines[index + 1]
        word = following.partition(" ")[0]
        if not following:
            yield "\n"
        elif line and len(line) + 1 + len(word) <= WIDTH:
            yield "\n\n"
        else:
            yield " " if line else "\n"
