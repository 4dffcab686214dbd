"""DenyServiceExternalIPs: no Service gets external addresses that it does not have already."""

from __future__ import annotations

from pybernetes.apiserver.admission import plugin


class DenyServiceExternalIPs(plugin.Plugin):
    name = "DenyServiceExternalIPs"
    operations = (plugin.CREATE, plugin.UPDATE)
    resources = ("services",)

    async def validate(self, attributes: plugin.Attributes) -> None:
        before = attributes.old.spec.externalIPs if attributes.old is not None else []
        if not set(attributes.obj.spec.externalIPs) <= set(before):
            raise attributes.forbidden("Use of external IPs is denied by admission control")
