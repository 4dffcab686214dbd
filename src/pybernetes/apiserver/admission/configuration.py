"""The file of `--admission-control-config-file`: which plugin is configured by what.

apiVersion: apiserver.config.k8s.io/v1
kind: AdmissionConfiguration
plugins:
- name: PodSecurity
  configuration: {...}            # or path: a file with it, from this one's folder
"""

from __future__ import annotations

import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

from pybernetes.api import codecs
from pybernetes.apiserver.admission import event_rate_limit
from pybernetes.apiserver.admission.pod_security import levels

_VERSIONS = ("apiserver.config.k8s.io/v1", "apiserver.config.k8s.io/v1alpha1", "apiserver.k8s.io/v1alpha1")


def load(path: pathlib.Path) -> dict[str, Any]:
    """The configurations by the names of plugins. Raises OSError, and ValueError for what is none."""
    document = _yaml(path)
    version, kind = document.get("apiVersion"), document.get("kind")
    if version not in _VERSIONS or kind != "AdmissionConfiguration":
        raise ValueError(f"{path}: {version}, Kind={kind} is not an AdmissionConfiguration")
    found: dict[str, Any] = {}
    for plugin in document.get("plugins") or ():
        if not isinstance(plugin, dict) or not plugin.get("name"):
            raise ValueError(f"{path}: plugins have names")
        given = plugin.get("configuration")
        if given is None and plugin.get("path"):
            given = _yaml(path.parent / plugin["path"])
        found[plugin["name"]] = given or {}
    problems = list(_problems(found))
    if problems:
        raise ValueError(f"{path}: {problems[0]}")
    return found


def _yaml(path: pathlib.Path) -> dict[str, Any]:
    try:
        document = codecs.decode_yaml(path.read_bytes())
    except codecs.DecodeError as error:
        raise ValueError(f"{path}: {error}") from None
    if not isinstance(document, dict):
        raise ValueError(f"{path}: not an object")
    return document


def _problems(found: Mapping[str, Any]) -> Iterator[str]:
    """What upstream's validation says of them."""
    for mode, value in (found.get("PodSecurity", {}).get("defaults") or {}).items():
        if mode.endswith("-version"):
            if levels.minor_of(str(value)) is None:
                yield f'defaults.{mode}: Invalid value: "{value}": must be "latest" or "v1.x"'
        elif value not in levels.LEVELS:
            yield f'defaults.{mode}: Invalid value: "{value}": must be one of {", ".join(levels.LEVELS)}'
    limits = found["EventRateLimit"].get("limits") or [] if "EventRateLimit" in found else [{}]
    if not limits:
        yield "limits: Invalid value: []: must not be empty"
    for index, limit in enumerate(limits if limits != [{}] else ()):
        kind = limit.get("type", "")
        if kind not in event_rate_limit.TYPES:
            allowed = ", ".join(f'"{name}"' for name in sorted(event_rate_limit.TYPES))
            yield f'limits[{index}].type: Unsupported value: "{kind}": supported values: {allowed}'
        for name in ("qps", "burst"):
            if not isinstance(limit.get(name), int) or limit[name] <= 0:
                yield f"limits[{index}].{name}: Invalid value: {limit.get(name, 0)}: must be positive"
