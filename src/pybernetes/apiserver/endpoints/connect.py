"""Subresources that reach into a running pod: log, exec, attach, portforward.

The pod's kubelet serves them. Logs are passed on as they come; for the others the client's upgraded connection
(WebSocket or SPDY) is carried to the kubelet byte for byte, so that the two ends speak the protocol themselves.
"""

from __future__ import annotations

from urllib.parse import parse_qsl, quote, urlencode

from pybernetes.api import codecs, errors
from pybernetes.api.types import core_v1, meta_v1
from pybernetes.apiserver import request as requests
from pybernetes.apiserver import results
from pybernetes.apiserver.authz import authorizer as authorizers
from pybernetes.apiserver.endpoints import kubelets, parts
from pybernetes.apiserver.endpoints import scope as scopes

LOG_PARAMETERS = (
    "follow",
    "previous",
    "sinceSeconds",
    "sinceTime",
    "timestamps",
    "tailLines",
    "limitBytes",
    "stream",
)
# What the API calls a stream, and what the kubelet does.
STREAMS = {"stdin": "input", "stdout": "output", "stderr": "error"}
# Headers of the client's request that belong to the upgrade, and go with it.
UPGRADE_HEADERS = (
    "connection",
    "upgrade",
    "sec-websocket-key",
    "sec-websocket-version",
    "sec-websocket-protocol",
    "sec-websocket-extensions",
    "x-stream-protocol-version",
)
FINISHED = ("Succeeded", "Failed")


class Connect:
    """The endpoints; `scope` in each is that of pods."""

    def __init__(self, nodes: kubelets.Kubelets) -> None:
        self._kubelets = nodes

    async def log(self, scope: scopes.Scope, request: requests.Request) -> results.Result:
        """A container's log as text."""
        query = request.query
        pod = _pod(scope, request)
        container = _container(pod, query.get("container", ""))
        _check_log_options(query)
        if not pod.spec.nodeName:
            return results.Document(b"", "text/plain")
        wanted = {name: query[name] for name in LOG_PARAMETERS if name in query}
        target = _target("containerLogs", pod, container, urlencode(wanted))
        answer = await self._kubelets.request(pod.spec.nodeName, target, headers=(("Connection", "close"),))
        if answer.code != 200:
            raise await _failure(answer)
        return results.Streamed(kubelets.body(answer))

    async def exec(self, scope: scopes.Scope, request: requests.Request) -> results.Result:
        await _may_create(scope, request)
        pairs = parse_qsl(request.raw_query, keep_blank_values=True)
        if not any(name == "command" and value for name, value in pairs):
            raise errors.bad_request("you must specify at least 1 command for the container")
        return await self._into_container(scope, request, "exec", pairs)

    async def attach(self, scope: scopes.Scope, request: requests.Request) -> results.Result:
        await _may_create(scope, request)
        pairs = parse_qsl(request.raw_query, keep_blank_values=True)
        return await self._into_container(scope, request, "attach", pairs)

    async def portforward(self, scope: scopes.Scope, request: requests.Request) -> results.Result:
        await _may_create(scope, request)
        pairs = parse_qsl(request.raw_query, keep_blank_values=True)
        await parts.connected(scope, request, pairs)
        pod = _pod(scope, request)
        if not pod.spec.nodeName:
            raise errors.bad_request(f"pod {pod.metadata.name} does not have a host assigned")
        return self._tunnel(pod, _target("portForward", pod, "", request.raw_query), request)

    async def _into_container(
        self, scope: scopes.Scope, request: requests.Request, verb: str, pairs: list[tuple[str, str]]
    ) -> results.Result:
        await parts.connected(scope, request, pairs)
        pod = _pod(scope, request)
        container = _container(pod, dict(reversed(pairs)).get("container", ""))
        if not pod.spec.nodeName:
            raise errors.bad_request(f"pod {pod.metadata.name} does not have a host assigned")
        if pod.status.phase in FINISHED:
            doing = "exec into" if verb == "exec" else "attach to"
            raise errors.bad_request(
                f"cannot {doing} a container in a completed pod; current phase is {pod.status.phase}"
            )
        wanted = [
            (STREAMS.get(name, name), "1" if name in (*STREAMS, "tty") else value)
            for name, value in pairs
            if name == "command" or (name in (*STREAMS, "tty") and value.lower() not in ("false", "0", ""))
        ]
        return self._tunnel(pod, _target(verb, pod, container, urlencode(wanted)), request)

    def _tunnel(self, pod: core_v1.Pod, target: str, request: requests.Request) -> results.Result:
        if "upgrade" not in request.header("connection").lower():
            raise errors.bad_request("Upgrade request required")
        headers = tuple((name, request.headers[name]) for name in UPGRADE_HEADERS if name in request.headers)

        async def open_() -> kubelets.Answer:
            return await self._kubelets.request(pod.spec.nodeName, target, method=request.method, headers=headers)

        return results.Tunnel(open_)


def _pod(scope: scopes.Scope, request: requests.Request) -> core_v1.Pod:
    pod: core_v1.Pod = scope.find(request.attributes.namespace, request.attributes.name).decoded(core_v1.Pod)
    return pod


async def _may_create(scope: scopes.Scope, request: requests.Request) -> None:
    """WebSockets begin with GET, so that the verb of the request says `get`; running things takes `create`."""
    await authorizers.require(scope.authorizer, request.user, request.attributes._replace(verb="create"))


def _container(pod: core_v1.Pod, name: str) -> str:
    spec = pod.spec
    known = [container.name for container in spec.containers]
    known += [container.name for container in spec.initContainers]
    known += [container.name for container in spec.ephemeralContainers]
    if not name:
        if len(known) == 1:
            return known[0]
        names = " ".join(c.name for c in spec.containers)
        message = f"a container name must be specified for pod {pod.metadata.name}, choose one of: [{names}]"
        if spec.initContainers:
            message += f" or one of the init containers: [{' '.join(c.name for c in spec.initContainers)}]"
        raise errors.bad_request(message)
    if name not in known:
        raise errors.bad_request(f"container {name} is not valid for pod {pod.metadata.name}")
    return name


def _check_log_options(query: dict[str, str]) -> None:
    for name in ("sinceSeconds", "tailLines", "limitBytes"):
        value = query.get(name)
        if value is not None and not value.lstrip("-").isdigit():
            raise errors.bad_request(f'strconv.ParseInt: parsing "{value}": invalid syntax')
    if "sinceSeconds" in query and "sinceTime" in query:
        raise errors.bad_request("at most one of `sinceTime` or `sinceSeconds` may be specified")


def _target(verb: str, pod: core_v1.Pod, container: str, query: str) -> str:
    path = f"/{verb}/{quote(pod.metadata.namespace)}/{quote(pod.metadata.name)}"
    if container:
        path += f"/{quote(container)}"
    return f"{path}?{query}" if query else path


async def _failure(answer: kubelets.Answer) -> errors.StatusError:
    """What the kubelet refused, as the API answers it."""
    text = b"".join([part async for part in kubelets.body(answer)])
    try:
        status = codecs.decode(meta_v1.Status, text)
        if status.kind == "Status" and status.code:
            return errors.StatusError(status)
    except codecs.DecodeError:
        pass
    message = text.decode(errors="replace").strip()
    if answer.code == 400:
        return errors.bad_request(message)
    if answer.code == 404:
        return errors.error(404, "NotFound", message or "the server could not find the requested resource")
    return errors.internal(message or f"the kubelet answered {answer.code}")
