"""Which resources the server has, in their preferred versions, for controllers that act on all of them."""

from __future__ import annotations

from typing import Any

from pybernetes.api import errors, scheme
from pybernetes.client import Client


async def resources(client: Client) -> tuple[list[scheme.Resource], list[str]]:
    """Every resource (no subresources), and the groups that could not be asked, each with why."""
    failures: list[str] = []
    found: dict[tuple[str, str], scheme.Resource] = {}
    for group, versions in [("", ["v1"]), *await _groups(client)]:
        for version in versions:
            path = f"/apis/{group}/{version}" if group else f"/api/{version}"
            try:
                listed = await client.raw(path)
            except errors.StatusError as error:
                failures.append(f"{group}/{version}: {error}")
                continue
            for entry in listed.get("resources", []):
                if "/" not in entry["name"]:
                    # The preferred version comes first; another one counts only for what that has not.
                    found.setdefault((group, entry["name"]), _resource(group, version, entry))
    return list(found.values()), failures


async def _groups(client: Client) -> list[tuple[str, list[str]]]:
    listed = await client.raw("/apis")
    groups = []
    for group in listed.get("groups", []):
        preferred = group.get("preferredVersion", {}).get("version", "")
        versions = [entry["version"] for entry in group.get("versions", [])]
        versions.sort(key=lambda version: version != preferred)
        groups.append((group["name"], versions))
    return groups


def _resource(group: str, version: str, entry: dict[str, Any]) -> scheme.Resource:
    known = scheme.by_name(group, version, entry["name"])
    if known is not None:
        return known
    return scheme.Resource(
        group=group,
        version=version,
        name=entry["name"],
        kind=entry["kind"],
        namespaced=entry["namespaced"],
        verbs=tuple(entry.get("verbs", ())),
    )
