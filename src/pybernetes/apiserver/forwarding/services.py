"""The servers behind a Service, found by its EndpointSlices: so that nobody has to carry its address about."""

from __future__ import annotations

from typing import NamedTuple

from pybernetes.api.types import core_v1, discovery_v1
from pybernetes.apiserver.storage import collection as collections
from pybernetes.apiserver.storage import selection
from pybernetes.kits import chance as chances

SERVICE_LABEL = "kubernetes.io/service-name"
_REACHABLE = ("ClusterIP", "NodePort", "LoadBalancer")


class Server(NamedTuple):
    """Where to connect to; `name` is who its certificate has to be for."""

    host: str
    port: int
    name: str

    @property
    def authority(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Services:
    """`services` and `slices` are where Services and their EndpointSlices are stored."""

    def __init__(
        self, services: collections.Collection, slices: collections.Collection, chance: chances.Chance
    ) -> None:
        self._services = services
        self._slices = slices
        self._chance = chance

    def find(self, namespace: str, name: str) -> core_v1.Service | None:
        item = self._services.get(namespace, name)
        return None if item is None else item.decoded(core_v1.Service)

    def resolve(self, namespace: str, name: str, port: int) -> Server:
        """One that is ready; they take turns. Raises OSError."""
        service = self.find(namespace, name)
        if service is None:
            raise OSError(f'service "{name}" not found')
        certified = f"{name}.{namespace}.svc"
        if service.spec.type == "ExternalName":
            return Server(service.spec.externalName, port, certified)
        if service.spec.type not in _REACHABLE:
            raise OSError(f'unsupported service type "{service.spec.type}"')
        offered = next((one for one in service.spec.ports if one.port == port), None)
        if offered is None:
            raise OSError(f'no service port {port} found for service "{name}"')
        found = self.ready(service, offered.name)
        if not found:
            raise OSError(f'no endpoints available for service "{name}"')
        return Server(*self._chance.choice(found), certified)

    def slices(self, service: core_v1.Service) -> list[discovery_v1.EndpointSlice]:
        meta = service.metadata
        return [
            item.decoded(discovery_v1.EndpointSlice)
            for item in self._slices.select(selection.Selection(namespace=meta.namespace)).items
            if item.labels().get(SERVICE_LABEL) == meta.name
        ]

    def ready(self, service: core_v1.Service, port: str) -> list[tuple[str, int]]:
        """Addresses that serve the port and are ready, of the service's first family where there are such."""
        found: dict[bool, list[tuple[str, int]]] = {True: [], False: []}
        family = service.spec.ipFamilies[0] if service.spec.ipFamilies else ""
        for one in self.slices(service):
            number = next((p.port for p in one.ports if (p.name or "") == port and p.port), None)
            if number is None:
                continue
            found[one.addressType == family] += [
                (endpoint.addresses[0], number)
                for endpoint in one.endpoints
                if endpoint.addresses and endpoint.conditions.ready is not False
            ]
        return found[True] or found[False]
