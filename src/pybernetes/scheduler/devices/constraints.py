"""What a claim wants its devices to have in common, or not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from pybernetes.api.types import resource_v1
from pybernetes.scheduler.devices import expressions, inventory, requests


class Given(NamedTuple):
    """A device for a request."""

    request: requests.Request
    item: inventory.Item


def meets(constraint: resource_v1.DeviceConstraint, given: Sequence[Given]) -> bool:
    """Whether the devices of one claim are as they should be; more of them never make it better."""
    wanted = set(constraint.requests)
    bound = [one for one in given if not wanted or {one.request.full_name, one.request.parent} & wanted]
    name = constraint.matchAttribute or constraint.distinctAttribute or ""
    values = [_attribute(one.item, name) for one in bound]
    if any(value is None for value in values):
        return False
    different = {repr(value) for value in values}
    return len(different) <= 1 if constraint.matchAttribute else len(different) == len(values)


def _attribute(item: inventory.Item, name: str) -> Any:
    """By its whole name, or by the short one where the domain is the driver."""
    found = item.device.attributes.get(name)
    if found is None:
        domain, _, bare = name.rpartition("/")
        found = item.device.attributes.get(bare) if domain == item.key[0] else None
    if found is None:
        return None
    return found.version if found.version is not None else expressions.plain(found)
