"""Devices that need something to be done before a pod can be bound to their node, as their drivers report it."""

from __future__ import annotations

from pybernetes.api import times
from pybernetes.api.types import meta_v1, resource_v1

# How waiting for them ends.
SUCCESS, FAILURE, TIMEOUT, ERROR = "success", "failure", "timeout", "error"


class Failed(Exception):
    """A device will not be ready."""


def needed(claim: resource_v1.ResourceClaim) -> bool:
    """Whether any device of the claim has conditions to wait for."""
    allocation = claim.status.allocation
    return allocation is not None and any(one.bindingConditions for one in allocation.devices.results)


def ready(claim: resource_v1.ResourceClaim) -> bool:
    """Whether all devices are, of which those without conditions always are. Raises Failed."""
    allocation = claim.status.allocation
    if allocation is None:
        return False
    for one in allocation.devices.results:
        if not one.bindingConditions:
            continue
        told = next((s for s in claim.status.devices if _key(s) == _key(one)), None)
        if told is None:
            return False
        for kind in one.bindingFailureConditions:
            failed = _true(told.conditions, kind)
            if failed is not None:
                reason, message = failed.reason, failed.message
                raise Failed(
                    f'device binding failed: claim={claim.metadata.name}, reason={reason}, message="{message}"'
                )
        if any(_true(told.conditions, kind) is None for kind in one.bindingConditions):
            return False
    return True


def seconds_left(claim: resource_v1.ResourceClaim, seconds: float, now: float) -> float:
    """How much is left of the time that its devices have from when they were given, in which they must become ready.

    `now` is in seconds since the epoch.
    """
    allocation = claim.status.allocation
    if allocation is None or allocation.allocationTimestamp is None or not needed(claim):
        return seconds
    return times.parse(allocation.allocationTimestamp) + seconds - now


def _key(one: resource_v1.AllocatedDeviceStatus | resource_v1.DeviceRequestAllocationResult) -> tuple[str, str, str]:
    return one.driver, one.pool, one.device


def _true(conditions: list[meta_v1.Condition], kind: str) -> meta_v1.Condition | None:
    return next((one for one in conditions if one.type == kind and one.status == "True"), None)
