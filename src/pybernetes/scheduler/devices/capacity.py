"""How much of a device's capacity a request takes, where the device can be shared."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from pybernetes.api import quantity
from pybernetes.api.types import resource_v1

Amounts = Mapping[str, quantity.Quantity]


def fits(requests: Amounts, device: resource_v1.Device, used: Mapping[str, Fraction]) -> bool:
    """Whether a request can be served beside what is taken already."""
    if any(name not in device.capacity for name in requests):
        return False
    for name, held in device.capacity.items():
        wanted = _amount(requests.get(name), held)
        if _violates(wanted, held.requestPolicy):
            return False
        if wanted.value() + used.get(name, 0) > held.value.value():
            return False
    return True


def consumed(requests: Amounts, device: resource_v1.Device) -> dict[str, quantity.Quantity]:
    """What a request takes, by the policies of the device."""
    return {name: _amount(requests.get(name), held) for name, held in device.capacity.items()}


def _amount(wanted: quantity.Quantity | None, held: resource_v1.DeviceCapacity) -> quantity.Quantity:
    policy = held.requestPolicy
    if wanted is None:
        return policy.default if policy is not None and policy.default is not None else held.value
    if policy is None:
        return wanted
    if policy.validRange is not None and policy.validRange.min is not None:
        return _in_range(wanted, policy.validRange.min, policy.validRange.step)
    return next((valid for valid in policy.validValues if quantity.compare(wanted, valid) <= 0), wanted)


def _in_range(
    wanted: quantity.Quantity, lowest: quantity.Quantity, step: quantity.Quantity | None
) -> quantity.Quantity:
    if quantity.compare(wanted, lowest) < 0:
        return lowest
    if step is None:
        return wanted
    steps = -((lowest.as_int() - wanted.as_int()) // step.as_int())
    return quantity.Quantity.of(lowest.as_int() + steps * step.as_int(), quantity.BINARY_SI)


def _violates(wanted: quantity.Quantity, policy: resource_v1.CapacityRequestPolicy | None) -> bool:
    if policy is None or (policy.default is not None and quantity.compare(wanted, policy.default) == 0):
        return False
    valid = policy.validRange
    if valid is not None:
        if valid.max is not None and quantity.compare(wanted, valid.max) > 0:
            return True
        lowest = valid.min.as_int() if valid.min is not None else 0
        return valid.step is not None and (wanted.as_int() - lowest) % valid.step.as_int() != 0
    return bool(policy.validValues) and all(quantity.compare(wanted, one) for one in policy.validValues)
