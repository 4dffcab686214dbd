"""What claims ask for, in a form to search by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from pybernetes.api import quantity, tolerations
from pybernetes.api.types import core_v1, resource_v1


class Selector(NamedTuple):
    """An expression, and where it is written, for errors."""

    origin: str
    expression: str


class Request(NamedTuple):
    """What is asked for, one of the alternatives chosen: `parent` is empty where there are none.

    `number` is 0 for all there are.
    """

    name: str
    parent: str
    kind: resource_v1.DeviceClass
    selectors: tuple[Selector, ...]
    number: int
    admin: bool
    tolerations: Sequence[resource_v1.DeviceToleration]
    capacity: Mapping[str, quantity.Quantity]

    @property
    def full_name(self) -> str:
        return f"{self.parent}/{self.name}" if self.parent else self.name

    def tolerates(self, taints: Iterable[resource_v1.DeviceTaint]) -> bool:
        """Whether no taint keeps a device that has these from being given."""
        hard = (taint for taint in taints if taint.effect in (tolerations.NO_SCHEDULE, tolerations.NO_EXECUTE))
        return all(_tolerated(self.tolerations, taint) for taint in hard)


class Claim(NamedTuple):
    """The requests of a claim, each with its alternatives in order of preference."""

    claim: resource_v1.ResourceClaim
    requests: tuple[tuple[Request, ...], ...]

    @property
    def name(self) -> str:
        return f"{self.claim.metadata.namespace}/{self.claim.metadata.name}"


def of(claim: resource_v1.ResourceClaim, classes: Mapping[str, resource_v1.DeviceClass]) -> Claim:
    """`classes` has those that the requests name. Raises KeyError."""
    requests: list[tuple[Request, ...]] = []
    about = f"claim {claim.metadata.namespace}/{claim.metadata.name}"
    for request in claim.spec.devices.requests:
        if request.exactly is not None:
            requests.append((_request(request.name, "", request.exactly, about, classes),))
        else:
            alternatives = (_request(one.name, request.name, one, about, classes) for one in request.firstAvailable)
            requests.append(tuple(alternatives))
    return Claim(claim, tuple(requests))


def named_classes(claim: resource_v1.ResourceClaim) -> list[tuple[str, str]]:
    """Requests and alternatives by name, with their device classes."""
    found = []
    for request in claim.spec.devices.requests:
        if request.exactly is not None:
            found.append((request.name, request.exactly.deviceClassName))
        found += [(f"{request.name}/{one.name}", one.deviceClassName) for one in request.firstAvailable]
    return found


def _request(
    name: str,
    parent: str,
    asked: resource_v1.ExactDeviceRequest | resource_v1.DeviceSubRequest,
    about: str,
    classes: Mapping[str, resource_v1.DeviceClass],
) -> Request:
    kind = classes[asked.deviceClassName]
    selectors = (
        *_selectors(f"class {kind.metadata.name}", kind.spec.selectors),
        *_selectors(about, asked.selectors),
    )
    return Request(
        name,
        parent,
        kind,
        selectors,
        number=0 if asked.allocationMode == "All" else asked.count or 1,
        admin=isinstance(asked, resource_v1.ExactDeviceRequest) and bool(asked.adminAccess),
        tolerations=asked.tolerations,
        capacity=asked.capacity.requests if asked.capacity is not None else {},
    )


def _selectors(origin: str, selectors: Sequence[resource_v1.DeviceSelector]) -> list[Selector]:
    return [
        Selector(f"{origin}: selector #{at}", one.cel.expression)
        for at, one in enumerate(selectors)
        if one.cel is not None
    ]


def _tolerated(known: Sequence[resource_v1.DeviceToleration], taint: resource_v1.DeviceTaint) -> bool:
    plain = (core_v1.Toleration(key=t.key, operator=t.operator, value=t.value, effect=t.effect) for t in known)
    return tolerations.tolerated(plain, taint.key, taint.value, taint.effect)
