"""Which resources a version of a group has on the server; `controllers/discovery` looks at all of them."""

from __future__ import annotations

from typing import Any

from pybernetes.api import errors, scheme
from pybernetes.client.client import Client


async def is_served(client: Client, of: type) -> bool:
    """Whether the server has the resource of a type, whose version may be off. Raises StatusError."""
    resource = scheme.by_type(of)
    try:
        listed = await of_version(client, resource.group, resource.version)
    except errors.StatusError as error:
        if error.code != 404:
            raise
        return False
    return any(one.name == resource.name for one in listed)


async def of_version(client: Client, group: str, version: str) -> list[scheme.Resource]:
    """Without subresources. Raises StatusError: 404 where the version is not served."""
    listed = await client.raw(f"/apis/{group}/{version}" if group else f"/api/{version}")
    return [_resource(group, version, entry) for entry in listed.get("resources", []) if "/" not in entry["name"]]


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
