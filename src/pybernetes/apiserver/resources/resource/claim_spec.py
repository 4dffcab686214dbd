"""What a claim asks for: requests, constraints between the devices that satisfy them, configuration."""

from __future__ import annotations

from collections.abc import Mapping

from pybernetes.api import fields, names
from pybernetes.api.types import resource_v1
from pybernetes.apiserver.resources import checks
from pybernetes.apiserver.resources.resource import devices

MAX_REQUESTS = 32
_MAX_CONSTRAINTS = 32
_MAX_ALTERNATIVES = 8

# Name of a request -> those of its alternatives, if it has any.
RequestNames = Mapping[str, frozenset[str]]
Exact = resource_v1.ExactDeviceRequest | resource_v1.DeviceSubRequest


def default(spec: resource_v1.ResourceClaimSpec) -> None:
    for request in spec.devices.requests:
        exact: list[Exact] = [*request.firstAvailable]
        if request.exactly is not None:
            exact.append(request.exactly)
        for part in exact:
            default_request(part)


def default_request(request: Exact) -> None:
    request.allocationMode = request.allocationMode or "ExactCount"
    if request.allocationMode == "ExactCount" and request.count == 0:
        request.count = 1


def request_names(spec: resource_v1.ResourceClaimSpec) -> RequestNames:
    """What constraints, configurations and results may refer to."""
    return {request.name: frozenset(part.name for part in request.firstAvailable) for request in spec.devices.requests}


def validate(spec: resource_v1.ResourceClaimSpec, path: fields.Path) -> checks.Errors:
    claim, at = spec.devices, path["devices"]
    known = request_names(spec)

    def constraint(value: resource_v1.DeviceConstraint, where: fields.Path) -> checks.Errors:
        return _constraint(value, known, where)

    def configuration(value: resource_v1.DeviceClaimConfiguration, where: fields.Path) -> checks.Errors:
        problems = request_references(value.requests, known, where["requests"])
        return problems + devices.configuration(value.opaque, where)

    problems = devices.distinct(claim.requests, MAX_REQUESTS, _request, lambda r: r.name, at["requests"])
    problems += devices.listed(claim.constraints, _MAX_CONSTRAINTS, constraint, at["constraints"])
    return problems + devices.listed(claim.config, devices.MAX_CONFIGURATIONS, configuration, at["config"])


def _request(request: resource_v1.DeviceRequest, path: fields.Path) -> checks.Errors:
    problems = devices.label(request.name, path["name"])
    if request.firstAvailable and request.exactly is not None:
        words = "exactly one of `exactly` or `firstAvailable` is required, but multiple fields are set"
        problems.append(fields.invalid(path, None, words))
    elif request.firstAvailable:
        at = path["firstAvailable"]
        problems += devices.distinct(request.firstAvailable, _MAX_ALTERNATIVES, _alternative, lambda r: r.name, at)
    elif request.exactly is not None:
        problems += _exact(request.exactly, path["exactly"])
    else:
        problems.append(fields.required(path, "exactly one of `exactly` or `firstAvailable` is required"))
    return problems


def _alternative(request: resource_v1.DeviceSubRequest, path: fields.Path) -> checks.Errors:
    return devices.label(request.name, path["name"]) + _exact(request, path)


def _exact(request: Exact, path: fields.Path) -> checks.Errors:
    at = path["deviceClassName"]
    if request.deviceClassName:
        problems = checks.named(request.deviceClassName, names.dns_subdomain, at)
    else:
        problems = [fields.required(at)]
    problems += devices.listed(request.selectors, devices.MAX_SELECTORS, devices.selector, path["selectors"])
    mode = request.allocationMode
    if mode == "All":
        if request.count:
            words = "must not be specified when allocationMode is 'All'"
            problems.append(fields.invalid(path["count"], request.count, words))
    elif mode == "ExactCount":
        if request.count <= 0:
            problems.append(fields.invalid(path["count"], request.count, "must be greater than zero"))
    else:
        problems.append(fields.not_supported(path["allocationMode"], mode, ("All", "ExactCount")))
    return problems + devices.listed(request.tolerations, -1, devices.toleration, path["tolerations"])


def _constraint(value: resource_v1.DeviceConstraint, known: RequestNames, path: fields.Path) -> checks.Errors:
    problems = request_references(value.requests, known, path["requests"])
    for name in ("matchAttribute", "distinctAttribute"):
        attribute = getattr(value, name)
        if attribute is not None:
            return problems + devices.fully_qualified_name(attribute, path[name])
    words = 'exactly one of "matchAttribute" or "distinctAttribute" is required, but multiple fields are set'
    return [*problems, fields.required(path, words)]


def request_references(values: list[str], known: RequestNames, path: fields.Path) -> checks.Errors:
    def reference(value: str, at: fields.Path) -> checks.Errors:
        return request_reference(value, known, at)

    return devices.distinct(values, MAX_REQUESTS, reference, devices.itself, path)


def request_reference(value: str, known: RequestNames, path: fields.Path) -> checks.Errors:
    """A request of the claim, or one of its alternatives: `gpu`, `gpu/large`."""
    words = "must be the name of a request in the claim or the name of a request and a subrequest separated by '/'"
    name, *parts = value.split("/")
    if len(parts) > 1:
        return [fields.invalid(path, value, words)]
    problems: checks.Errors = []
    for part in (name, *parts):
        problems += devices.label(part, path)
    if name not in known or (parts and parts[0] not in known[name]):
        problems.append(fields.invalid(path, value, words))
    return problems
