"""Holds pods back until all of their scheduling gates are gone; the API server says so on them."""

from __future__ import annotations

from pybernetes.api.types import core_v1
from pybernetes.scheduler import changes
from pybernetes.scheduler.plugins import plugin


class SchedulingGates(plugin.Plugin):
    name = "SchedulingGates"
    # Nothing but a change of the pod itself helps.
    helped_by = changes.Change(0)

    def before_queuing(self, pod: core_v1.Pod) -> None:
        if pod.spec.schedulingGates:
            gates = " ".join(gate.name for gate in pod.spec.schedulingGates)
            raise plugin.Rejected(f"waiting for scheduling gates: [{gates}]")
