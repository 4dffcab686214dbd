"""Takes the more important of the waiting pods first, then those that have waited longer."""

from __future__ import annotations

from pybernetes.api.types import core_v1
from pybernetes.scheduler.plugins import plugin


class PrioritySort(plugin.Plugin):
    name = "PrioritySort"

    def order(self, pod: core_v1.Pod, since: float) -> tuple[int, float]:
        return -(pod.spec.priority or 0), since
