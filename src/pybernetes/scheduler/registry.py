"""The plugins there are: those that come with pybernetes, and those of other packages.

A package adds its own by an entry point, whose object is a `plugin.Plugin` class:

    [project.entry-points."pybernetes.scheduler.plugins"]
    Quiet = "mypackage.quiet:Quiet"
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterable
from importlib import metadata

import msgspec

from pybernetes.scheduler import preemption
from pybernetes.scheduler.plugins import plugin, table

log = logging.getLogger(__name__)

GROUP = "pybernetes.scheduler.plugins"
# Names of what works at one point as plugins do, and is none.
FIXED = {table.POST_FILTER: "postFilter"}
# Features that are off by default upstream; naming their plugins is no mistake.
_OFF = ("NodeDeclaredFeatures", "GangScheduling", "TopologyPlacementGenerator", "PodGroupPodsCount")


class Registry:
    """Plugins by name, in the order in which they are asked."""

    def __init__(self, others: Iterable[type[plugin.Plugin]] = ()) -> None:
        self.builtin = {kind.name: kind for kind in table.PLUGINS}
        self.others = {kind.name: kind for kind in others}

    def find(self, name: str) -> type[plugin.Plugin] | None:
        return self.builtin.get(name) or self.others.get(name)

    def knows(self, name: str) -> bool:
        return self.find(name) is not None or name in FIXED or name in _OFF

    def args_of(self, name: str) -> type[msgspec.Struct] | None:
        """The type of a plugin's arguments; None where it is not known or takes none."""
        if name == table.POST_FILTER:
            return preemption.Args
        found = self.find(name)
        return found.Args if found is not None else None


@functools.cache
def load() -> Registry:
    """All plugins; one that cannot be loaded is left out, and the log says why. What is installed is looked up once."""
    others: list[type[plugin.Plugin]] = []
    for entry in metadata.entry_points(group=GROUP):
        try:
            found = entry.load()
        except Exception:
            log.exception("the scheduler plugin %s cannot be loaded", entry.name)
            continue
        if not (isinstance(found, type) and issubclass(found, plugin.Plugin)):
            log.error("the scheduler plugin %s is not a plugin.Plugin class", entry.name)
            continue
        if not found.name:
            found.name = entry.name
        others.append(found)
    return Registry(others)
