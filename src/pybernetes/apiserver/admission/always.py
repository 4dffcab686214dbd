"""AlwaysAdmit and AlwaysDeny, which upstream keeps for those who still name them."""

from __future__ import annotations

from pybernetes.apiserver.admission import plugin


class AlwaysAdmit(plugin.Plugin):
    name = "AlwaysAdmit"


class AlwaysDeny(plugin.Plugin):
    name = "AlwaysDeny"

    async def admit(self, attributes: plugin.Attributes) -> None:
        raise attributes.forbidden("admission control is denying all modifications")
