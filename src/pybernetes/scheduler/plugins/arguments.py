"""What plugins may be given in `pluginConfig`, and what is wrong with it, in upstream's words."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from pybernetes.api import fields

# Scores in configuration files go from 0 to this.
MAX_CUSTOM_SCORE = 10


class Args(msgspec.Struct, kw_only=True):
    """The arguments of one plugin; `problems` finds what the types cannot say."""

    apiVersion: str = ""
    kind: str = ""

    def problems(self, path: fields.Path) -> list[fields.FieldError]:
        return []


class ResourceSpec(msgspec.Struct, kw_only=True):
    """A resource that is compared; 0 stands for a weight of 1."""

    name: str = ""
    weight: int = 0


class Point(msgspec.Struct, kw_only=True):
    """Where a broken line bends: utilization in percent, score from 0 to `MAX_CUSTOM_SCORE`."""

    utilization: int = 0
    score: int = 0


def weighted(resources: Sequence[ResourceSpec]) -> tuple[tuple[str, int], ...]:
    """Names and weights; cpu and memory where none are given."""
    if not resources:
        return (("cpu", 1), ("memory", 1))
    return tuple((resource.name, resource.weight or 1) for resource in resources)


def line_problems(shape: Sequence[Point], path: fields.Path) -> list[fields.FieldError]:
    if not shape:
        return [fields.required(path, "at least one point must be specified")]
    found = []
    for at in range(1, len(shape)):
        if shape[at - 1].utilization >= shape[at].utilization:
            detail = "values must be sorted in increasing order"
            found.append(fields.invalid(path[at]["utilization"], shape[at].utilization, detail))
            break
    for at, point in enumerate(shape):
        if not 0 <= point.utilization <= 100:
            found.append(fields.invalid(path[at]["utilization"], point.utilization, "not in valid range [0, 100]"))
        if not 0 <= point.score <= MAX_CUSTOM_SCORE:
            detail = f"not in valid range [0, {MAX_CUSTOM_SCORE}]"
            found.append(fields.invalid(path[at]["score"], point.score, detail))
    return found
