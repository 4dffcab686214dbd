"""A profile: the plugins, with their weights and arguments, that pods of one `schedulerName` are placed by."""

from __future__ import annotations

from typing import NamedTuple

from pybernetes.scheduler import cycle, preemption
from pybernetes.scheduler.plugins import table

DEFAULT = "default-scheduler"


class Profile(NamedTuple):
    """`preemption` is None where pods of this profile do not preempt."""

    name: str
    plugins: tuple[cycle.Weighted, ...]
    preemption: preemption.Args | None


def default(name: str = DEFAULT) -> Profile:
    """All plugins, as upstream has them where nothing is configured."""
    plugins = tuple(cycle.Weighted(kind(), kind.weight) for kind in table.PLUGINS)
    return Profile(name, plugins, preemption.Args())
