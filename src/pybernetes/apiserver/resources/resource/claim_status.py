"""What a claim got: the allocation, who may use it, and what drivers tell of the devices."""

from __future__ import annotations

import ipaddress

from pybernetes.api import fields
from pybernetes.api.types import resource_v1
from pybernetes.apiserver.resources import checks, conditions
from pybernetes.apiserver.resources.core import scheduling_validation
from pybernetes.apiserver.resources.resource import claim_spec, devices

_MAX_RESULTS = 32
_MAX_CONSUMERS = 256
_MAX_CONDITIONS = 8
_MAX_DATA = 10 * 1024
_MAX_ADDRESSES = 16
_MAX_INTERFACE = 256
_MAX_HARDWARE_ADDRESS = 128
_STATUS = fields.Path("status")

Status = resource_v1.ResourceClaimStatus
# Driver, pool, device, and the share of a device that many use.
Identity = tuple[str, str, str, str | None]


def drop_unallocated(new: Status, old: Status) -> None:
    """What drivers told of devices goes with those devices."""
    if old.devices and new.devices:
        lost = allocated(old) - allocated(new)
        new.devices = [device for device in new.devices if _identity(device) not in lost]


def allocated(status: Status) -> set[Identity]:
    return {_identity(result) for result in status.allocation.devices.results} if status.allocation else set()


def _identity(
    device: resource_v1.DeviceRequestAllocationResult | resource_v1.AllocatedDeviceStatus,
) -> Identity:
    return device.driver, device.pool, device.device, device.shareID


def validate(new: Status, old: Status, known: claim_spec.RequestNames, *, deleting: bool) -> checks.Errors:
    """Of the status subresource. `known` are the requests of the claim."""
    got = allocated(new)

    def device(value: resource_v1.AllocatedDeviceStatus, path: fields.Path) -> checks.Errors:
        return _device(value, got, path)

    at = _STATUS["reservedFor"]
    problems = devices.distinct(new.reservedFor, _MAX_CONSUMERS, _consumer, lambda c: c.uid, at)
    problems += devices.distinct(new.devices, -1, device, _identity, _STATUS["devices"])
    if new.reservedFor and new.allocation is None:
        problems.append(fields.forbidden(at, "may not be specified when `allocated` is not set"))
    elif deleting and any(consumer not in old.reservedFor for consumer in new.reservedFor):
        words = "new entries may not be added while `deallocationRequested` or `deletionTimestamp` are set"
        problems.append(fields.forbidden(at, words))
    if new.allocation is not None:
        if old.allocation is not None:
            problems += checks.immutable(new.allocation, old.allocation, _STATUS["allocation"])
        else:
            problems += _allocation(new.allocation, known, _STATUS["allocation"])
    return problems


def _consumer(consumer: resource_v1.ResourceClaimConsumerReference, path: fields.Path) -> checks.Errors:
    return [fields.required(path[name]) for name in ("resource", "name", "uid") if not getattr(consumer, name)]


def _allocation(
    allocation: resource_v1.AllocationResult, known: claim_spec.RequestNames, path: fields.Path
) -> checks.Errors:
    def result(value: resource_v1.DeviceRequestAllocationResult, at: fields.Path) -> checks.Errors:
        problems = claim_spec.request_reference(value.request, known, at["request"])
        problems += _names(value, at)
        return problems + devices.binding_conditions(value.bindingConditions, value.bindingFailureConditions, at)

    def configuration(value: resource_v1.DeviceAllocationConfiguration, at: fields.Path) -> checks.Errors:
        problems = checks.required_one_of(value.source, ("FromClaim", "FromClass"), at["source"])
        problems += claim_spec.request_references(value.requests, known, at["requests"])
        return problems + devices.configuration(value.opaque, at)

    at = path["devices"]
    problems = devices.listed(allocation.devices.results, _MAX_RESULTS, result, at["results"])
    # The class's and the claim's together.
    limit = 2 * devices.MAX_CONFIGURATIONS
    problems += devices.listed(allocation.devices.config, limit, configuration, at["config"])
    if allocation.nodeSelector is not None:
        problems += scheduling_validation.node_selector(allocation.nodeSelector, path["nodeSelector"])
    return problems


def _names(
    device: resource_v1.DeviceRequestAllocationResult | resource_v1.AllocatedDeviceStatus, path: fields.Path
) -> checks.Errors:
    problems = devices.driver(device.driver, path["driver"]) + devices.pool(device.pool, path["pool"])
    problems += devices.label(device.device, path["device"])
    return problems if device.shareID is None else problems + devices.uid(device.shareID, path["shareID"])


def _device(device: resource_v1.AllocatedDeviceStatus, got: set[Identity], path: fields.Path) -> checks.Errors:
    problems = _names(device, path)
    if _identity(device) not in got:
        shown = "/".join(part for part in _identity(device) if part is not None)
        problems.append(fields.invalid(path, shown, "must be an allocated device in the claim"))
    if len(device.conditions) > _MAX_CONDITIONS:
        problems.append(fields.too_many(path["conditions"], len(device.conditions), _MAX_CONDITIONS))
    problems += conditions.validate(device.conditions, path["conditions"])
    if device.data is not None:
        problems += devices.raw(device.data, _MAX_DATA, path["data"])
    network, at = device.networkData, path["networkData"]
    if network is not None:
        if len(network.interfaceName.encode()) > _MAX_INTERFACE:
            problems.append(fields.too_long(at["interfaceName"], _MAX_INTERFACE))
        if len(network.hardwareAddress.encode()) > _MAX_HARDWARE_ADDRESS:
            problems.append(fields.too_long(at["hardwareAddress"], _MAX_HARDWARE_ADDRESS))
        problems += devices.distinct(network.ips, _MAX_ADDRESSES, _address, devices.itself, at["ips"])
    return problems


def _address(value: str, path: fields.Path) -> checks.Errors:
    try:
        if "/" not in value:
            raise ValueError("no prefix length")
        canonical = ipaddress.ip_interface(value).with_prefixlen
    except ValueError:
        words = "must be a valid address in CIDR form, (e.g. 10.9.8.7/24 or 2001:db8::1/64)"
        return [fields.invalid(path, value, words)]
    return [] if canonical == value else [fields.invalid(path, value, f'must be in canonical form ("{canonical}")')]
