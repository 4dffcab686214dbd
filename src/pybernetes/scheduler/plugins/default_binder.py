"""Binds pods by telling the API server."""

from __future__ import annotations

from pybernetes.api.types import core_v1
from pybernetes.scheduler.plugins import plugin


class DefaultBinder(plugin.Plugin):
    name = "DefaultBinder"

    async def bind(self, pod: core_v1.Pod, node: str, desk: plugin.Desk) -> bool:
        await desk.bind(pod, node)
        return True
