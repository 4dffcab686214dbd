"""The groups of other servers among our own, as discovery shows them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from pybernetes.api import scheme
from pybernetes.apiserver.extensions.aggregation import remotes
from pybernetes.apiserver.resources.apiregistration import local

Groups = dict[str, dict[str, list[scheme.Resource]]]


def merged(ours: Groups, others: Collection[remotes.Remote]) -> Groups:
    """Groups by their priorities, versions in the order in which they are preferred."""
    if not others:
        return ours
    groups = {name: dict(versions) for name, versions in ours.items()}
    priorities = {name: local.priority(name) for name in groups}
    for remote in sorted(others, key=lambda one: (-one.version_priority, one.key)):
        group, version = remote.key
        groups.setdefault(group, {})[version] = resources(remote)
        priorities[group] = max(priorities.get(group, 0), remote.group_priority)
    return {name: groups[name] for name in sorted(groups, key=lambda name: -priorities[name])}


def resources(remote: remotes.Remote) -> list[scheme.Resource]:
    """What its server says it has."""
    return [_resource(remote, entry) for entry in remote.resources or ()]


def _resource(remote: remotes.Remote, entry: dict[str, Any]) -> scheme.Resource:
    group, version = remote.key
    own_group, own_version = entry.get("group") or group, entry.get("version") or version
    other = (own_group, own_version) != (group, version)
    return scheme.Resource(
        group=group,
        version=version,
        name=entry["name"],
        kind=entry["kind"],
        namespaced=bool(entry.get("namespaced")),
        singular=str(entry.get("singularName") or ""),
        verbs=_texts(entry.get("verbs")),
        short_names=_texts(entry.get("shortNames")),
        categories=_texts(entry.get("categories")),
        kind_version=f"{own_group}/{own_version}" if other else "",
    )


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else ()
