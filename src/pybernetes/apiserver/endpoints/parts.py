"""Admission of what is posted to a subresource of a kind of its own (a Binding, an Eviction), and of connections."""

from __future__ import annotations

import functools
from typing import Any, TypeVar

from pybernetes.apiserver import request as requests
from pybernetes.apiserver.admission import plugin
from pybernetes.apiserver.endpoints import options
from pybernetes.apiserver.endpoints import scope as scopes

T = TypeVar("T")
# Which options a connection is made with, by subresource; of proxies, by resource, too.
_CONNECTIONS = {
    "pods/attach": "PodAttachOptions",
    "pods/exec": "PodExecOptions",
    "pods/portforward": "PodPortForwardOptions",
    "nodes/proxy": "NodeProxyOptions",
    "pods/proxy": "PodProxyOptions",
    "services/proxy": "ServiceProxyOptions",
}
_STREAMS = ("stdin", "stdout", "stderr", "tty")


async def admitted(scope: scopes.Scope, request: requests.Request, obj: T) -> T:
    """What is to be acted on: the object, or what a plugin has made of it. Raises StatusError."""
    at = request.attributes
    attributes = plugin.Attributes(
        operation=plugin.CREATE,
        kind=scope.kind,
        namespace=at.namespace,
        name=at.name,
        user=request.user,
        subresource=at.subresource or "binding",
        obj=obj,
        dry_run=options.is_dry_run(request),
        options=functools.partial(options.tree, request, "CreateOptions"),
        warnings=request.warnings,
        annotations=request.annotations,
        kept=request.keep,
    )
    await scope.admission.admit(attributes)
    await scope.admission.validate(attributes)
    changed: T = attributes.obj
    return changed


async def connected(scope: scopes.Scope, request: requests.Request, pairs: list[tuple[str, str]]) -> None:
    """Ask about a connection; `pairs` are the parameters of its query. Raises StatusError."""
    at = request.attributes
    kind = _CONNECTIONS[f"{at.resource}/{at.subresource}"]
    attributes = plugin.Attributes(
        operation=plugin.CONNECT,
        kind=scope.kind,
        namespace=at.namespace,
        name=at.name,
        user=request.user,
        subresource=at.subresource,
        obj={"kind": kind, "apiVersion": "v1", **_tree(at, pairs)},
        warnings=request.warnings,
        annotations=request.annotations,
        kept=request.keep,
    )
    await scope.admission.connect(attributes)


def _tree(at: requests.Attributes, pairs: list[tuple[str, str]]) -> dict[str, Any]:
    if at.subresource == "proxy":
        return {"path": f"/{at.rest}"}
    if at.subresource == "portforward":
        ports = [int(part) for name, value in pairs if name == "ports" for part in value.split(",") if part.isdigit()]
        return {"ports": ports} if ports else {}
    query = dict(reversed(pairs))
    tree: dict[str, Any] = {
        name: True for name in _STREAMS if name in query and query[name].lower() not in ("false", "0", "")
    }
    if query.get("container"):
        tree["container"] = query["container"]
    command = [value for name, value in pairs if name == "command"]
    return {**tree, "command": command} if command else tree
