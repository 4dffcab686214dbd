"""Sysctls of a pod: well-formed, each once, and not of a namespace that the pod shares with its node."""

from __future__ import annotations

import re

from pybernetes.api import fields
from pybernetes.api.types import core_v1
from pybernetes.apiserver.resources import checks

_SEGMENT = "[a-z0-9]([-_a-z0-9]*[a-z0-9])?"
_NAME = rf"({_SEGMENT}[\./])*{_SEGMENT}"
_is_name = re.compile(_NAME).fullmatch
_MAX_LENGTH = 253
_IPC = "kernel.sem"
_IPC_PREFIXES = ("kernel.shm", "kernel.msg", "fs.mqueue.")


def validate(spec: core_v1.PodSpec, path: fields.Path) -> checks.Errors:
    """`path` is that of the list in the pod's security context."""
    listed = spec.securityContext.sysctls if spec.securityContext is not None else []
    problems: checks.Errors = []
    seen: set[str] = set()
    for index, sysctl in enumerate(listed):
        at = path[index]["name"]
        if not sysctl.name:
            problems.append(fields.required(at))
        elif len(sysctl.name) > _MAX_LENGTH or not _is_name(sysctl.name):
            words = f"must have at most {_MAX_LENGTH} characters and match regex ^{_NAME}$"
            problems.append(fields.invalid(at, sysctl.name, words))
        elif sysctl.name in seen:
            problems.append(fields.duplicate(at, sysctl.name))
        seen.add(sysctl.name)
        problems += _shared(sysctl.name, spec, at)
    return problems


def _shared(name: str, spec: core_v1.PodSpec, path: fields.Path) -> checks.Errors:
    plain = _dotted(name)
    if spec.hostNetwork and plain.startswith("net."):
        return [fields.invalid(path, name, "may not be specified when 'hostNetwork' is true")]
    if spec.hostIPC and (plain == _IPC or plain.startswith(_IPC_PREFIXES)):
        return [fields.invalid(path, name, "may not be specified when 'hostIPC' is true")]
    return []


def _dotted(name: str) -> str:
    """Names with slashes first have dots within their segments."""
    first = re.search(r"[./]", name)
    if first is None or first[0] == ".":
        return name
    return name.translate(str.maketrans("./", "/."))
