"""Validation of probes and lifecycle hooks."""

from __future__ import annotations

from typing import Any

from pybernetes.api import fields, names
from pybernetes.api.types import core_v1
from pybernetes.apiserver.resources import checks

_HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc", "sleep")


def probes(
    container: core_v1.Container | core_v1.EphemeralContainer, grace: int | None, path: fields.Path
) -> checks.Errors:
    """Liveness, readiness and startup."""
    problems: checks.Errors = []
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        probe = getattr(container, name)
        if probe is not None:
            problems += _probe(probe, grace, path[name], name)
    return problems


def _probe(probe: core_v1.Probe, grace: int | None, path: fields.Path, name: str) -> checks.Errors:
    problems = _handler(probe, grace, path)
    for number in ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"):
        problems += checks.not_negative(getattr(probe, number), path[number])
    own_grace = probe.terminationGracePeriodSeconds
    if own_grace is not None and own_grace <= 0:
        problems.append(fields.invalid(path["terminationGracePeriodSeconds"], own_grace, "must be greater than 0"))
    if name != "readinessProbe":
        if probe.successThreshold != 1:
            problems.append(fields.invalid(path["successThreshold"], probe.successThreshold, "must be 1"))
    elif own_grace is not None:
        words = "must not be set for readinessProbes"
        problems.append(fields.invalid(path["terminationGracePeriodSeconds"], own_grace, words))
    return problems


def lifecycle(hooks: core_v1.Lifecycle, grace: int | None, path: fields.Path) -> checks.Errors:
    problems: checks.Errors = []
    if hooks.postStart is not None:
        problems += _handler(hooks.postStart, grace, path["postStart"])
    if hooks.preStop is not None:
        problems += _handler(hooks.preStop, grace, path["preStop"])
    return problems


def _handler(handler: Any, grace: int | None, path: fields.Path) -> checks.Errors:
    present = [name for name in _HANDLERS if getattr(handler, name, None) is not None]
    if not present:
        return [fields.required(path, "must specify a handler type")]
    problems = _action(present[0], getattr(handler, present[0]), grace, path[present[0]])
    for name in present[1:]:
        problems.append(fields.forbidden(path[name], "may not specify more than 1 handler type"))
    return problems


def _action(name: str, action: Any, grace: int | None, path: fields.Path) -> checks.Errors:
    if name == "exec":
        return [] if action.command else [fields.required(path["command"])]
    if name == "sleep":
        if grace is not None and not 0 <= action.seconds <= grace:
            words = f"must be non-negative and less than terminationGracePeriodSeconds ({grace})"
            return [fields.invalid(path, action.seconds, words)]
        return []
    if name == "grpc":
        return checks.port(action.port, path["port"])
    problems: checks.Errors = []
    if name == "httpGet" and not action.path:
        problems.append(fields.required(path["path"]))
    problems += checks.port_or_name(action.port, path["port"])
    if name == "httpGet":
        problems += checks.one_of(action.scheme, ("HTTP", "HTTPS"), path["scheme"])
        for header in action.httpHeaders:
            problems += checks.named(header.name, names.http_header_name, path["httpHeaders"])
    return problems
