"""Validation of references to a pod's own fields and resources, as environment and downward API volumes make them."""

from __future__ import annotations

import re

from pybernetes.api import fields, names
from pybernetes.api.types import core_v1
from pybernetes.apiserver.resources import checks

ENV_FIELDS = (
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
)
VOLUME_FIELDS = ("metadata.name", "metadata.namespace", "metadata.labels", "metadata.annotations", "metadata.uid")
_KNOWN_FIELDS = frozenset(ENV_FIELDS + VOLUME_FIELDS + ("spec.restartPolicy", "status.phase", "spec.host"))
_RESOURCES = (
    "limits.cpu",
    "limits.memory",
    "limits.ephemeral-storage",
    "requests.cpu",
    "requests.memory",
    "requests.ephemeral-storage",
)
_PREFIXES = ("requests.hugepages-", "limits.hugepages-")
_DIVISORS = {
    "cpu": ("1m", "1"),
    "memory": ("1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei"),
}
_subscripted = re.compile(r"([^\[\]]+)\['([^']*)'\]").fullmatch


def object_field(reference: core_v1.ObjectFieldSelector, allowed: tuple[str, ...], path: fields.Path) -> checks.Errors:
    """`metadata.labels['app']`, `status.podIP`: one of the allowed, or a label or annotation."""
    if not reference.apiVersion:
        return [fields.required(path["apiVersion"])]
    if not reference.fieldPath:
        return [fields.required(path["fieldPath"])]
    if reference.apiVersion != "v1":
        words = f"error converting fieldPath: unsupported pod version: {reference.apiVersion}"
        return [fields.invalid(path["fieldPath"], reference.fieldPath, words)]
    match = _subscripted(reference.fieldPath)
    if match is not None:
        name, subscript = match.groups()
        if name == "metadata.annotations":
            return checks.named(subscript.lower(), names.qualified_name, path)
        if name == "metadata.labels":
            return checks.named(subscript, names.qualified_name, path)
        words = f"error converting fieldPath: field label does not support subscript: {reference.fieldPath}"
        return [fields.invalid(path["fieldPath"], reference.fieldPath, words)]
    if reference.fieldPath not in _KNOWN_FIELDS:
        words = f"error converting fieldPath: field label not supported: {reference.fieldPath}"
        return [fields.invalid(path["fieldPath"], reference.fieldPath, words)]
    if reference.fieldPath not in allowed:
        return [fields.not_supported(path["fieldPath"], reference.fieldPath, allowed)]
    return []


def resource_field(
    reference: core_v1.ResourceFieldSelector, path: fields.Path, *, named_container: bool
) -> checks.Errors:
    """`limits.cpu` of a container, in a unit that makes sense for it."""
    problems: checks.Errors = []
    if named_container and not reference.containerName:
        problems.append(fields.required(path["containerName"]))
    elif not reference.resource:
        problems.append(fields.required(path["resource"]))
    elif reference.resource not in _RESOURCES and not reference.resource.startswith(_PREFIXES):
        problems.append(fields.not_supported(path["resource"], reference.resource, _RESOURCES))
    divisor = reference.divisor
    if divisor and divisor != "0":
        name = "cpu" if reference.resource.endswith(".cpu") else "memory"
        if divisor not in _DIVISORS[name]:
            unit = "cpu" if name == "cpu" else reference.resource.partition(".")[2].partition("-")[0]
            allowed = "1m and 1" if name == "cpu" else "1, 1k, 1M, 1G, 1T, 1P, 1E, 1Ki, 1Mi, 1Gi, 1Ti, 1Pi, 1Ei"
            words = f"only divisor's values {allowed} are supported with the {unit} resource"
            problems.append(fields.invalid(path["divisor"], divisor, words))
    return problems
