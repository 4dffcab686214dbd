"""Which resources the server has, in their preferred versions, for controllers that act on all of them."""

from __future__ import annotations

from pybernetes.api import errors, scheme
from pybernetes.client import Client, discovery


async def resources(client: Client) -> tuple[list[scheme.Resource], list[str]]:
    """Every resource (no subresources), and the groups that could not be asked, each with why."""
    failures: list[str] = []
    found: dict[tuple[str, str], scheme.Resource] = {}
    for group, versions in [("", ["v1"]), *await groups(client)]:
        for version in versions:
            try:
                listed = await discovery.of_version(client, group, version)
            except errors.StatusError as error:
                failures.append(f"{group}/{version}: {error}")
                continue
            for resource in listed:
                # The preferred version comes first; another one counts only for what that has not.
                found.setdefault((group, resource.name), resource)
    return list(found.values()), failures


async def of_group(client: Client, group: str) -> list[scheme.Resource]:
    """One group's resources, those of the preferred version first; none where there is no such group.

    Raises StatusError.
    """
    known = [("", ["v1"])] if not group else await groups(client)
    versions = next((versions for name, versions in known if name == group), [])
    return [resource for version in versions for resource in await discovery.of_version(client, group, version)]


async def groups(client: Client) -> list[tuple[str, list[str]]]:
    """The groups but the core one, each with its versions, the preferred one first. Raises StatusError."""
    listed = await client.raw("/apis")
    found = []
    for group in listed.get("groups", []):
        preferred = group.get("preferredVersion", {}).get("version", "")
        versions = [entry["version"] for entry in group.get("versions", [])]
        versions.sort(key=lambda version: version != preferred)
        found.append((group["name"], versions))
    return found
