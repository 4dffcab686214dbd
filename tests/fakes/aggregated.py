"""An API server of somebody else's, on a real HTTPS port of this machine: wardles, kept in memory."""

from __future__ import annotations

import asyncio
import base64
import functools
import json
import pathlib
import ssl
import sys
import tempfile
from collections.abc import Callable
from typing import Any

from aiohttp import web

from pybernetes.api import codecs
from pybernetes.api.types import apiregistration_v1, core_v1, discovery_v1, meta_v1
from pybernetes.cluster import pki
from pybernetes.kits.clock import SystemClock
from tests.fakes import apiserver as fakes

GROUP, VERSION, NAMESPACE = "wardle.example.com", "v1alpha1", "default"
GROUP_VERSION = f"{GROUP}/{VERSION}"
ROOT = f"/apis/{GROUP_VERSION}"
FLUNDERS = f"{ROOT}/namespaces/{NAMESPACE}/flunders"
VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
RESOURCES = [
    {
        "name": "flunders",
        "singularName": "flunder",
        "kind": "Flunder",
        "namespaced": True,
        "verbs": VERBS,
        "shortNames": ["fl"],
    }
]


@functools.cache
def authority() -> pki.Pki:
    return pki.Pki(pathlib.Path(tempfile.mkdtemp(prefix="aggregated-")), SystemClock())


@functools.cache
def front_proxy() -> pki.Pki:
    """Who vouches for those that may say who somebody is."""
    return pki.Pki(pathlib.Path(tempfile.mkdtemp(prefix="front-proxy-")), SystemClock())


def proxy_client() -> tuple[str, str]:
    pair = front_proxy().client("front-proxy-client", user="front-proxy-client")
    return str(pair.certificate), str(pair.key)


class FakeAggregated:
    """`async with FakeAggregated() as server`, then `register`."""

    def __init__(self, *, front_proxy_ca: pathlib.Path | None = None) -> None:
        self._ca = front_proxy_ca or front_proxy().ca
        self.flunders: dict[str, dict[str, Any]] = {}
        self.asked: list[web.Request] = []
        self.held: asyncio.Event | None = None
        # Set when a request is held.
        self.holding = asyncio.Event()
        self.healthy = True
        self.tell: Callable[[web.Request], None] = lambda _: None
        self.port = 0
        self._revision = 0
        self._watches: list[asyncio.Queue[dict[str, Any] | None]] = []

    async def __aenter__(self) -> FakeAggregated:
        application = web.Application(middlewares=[self._noted])
        router = application.router
        router.add_get(ROOT, self._resources)
        router.add_get("/openapi/v3", self._openapi)
        router.add_get(f"/openapi/v3{ROOT}", self._document)
        router.add_get(FLUNDERS, self._list)
        router.add_get(f"{ROOT}/flunders", self._list)
        router.add_post(FLUNDERS, self._create)
        router.add_get(FLUNDERS + "/{name}", self._get)
        router.add_delete(FLUNDERS + "/{name}", self._delete)
        self._runner = web.AppRunner(application, shutdown_timeout=0.1)
        await self._runner.setup()
        pair = authority().server("wardle", {f"api.{NAMESPACE}.svc"})
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(self._ca))
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_cert_chain(pair.certificate, pair.key)
        site = web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=context)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self.held is not None:
            self.held.set()
        for queue in self._watches:
            queue.put_nowait(None)
        await self._runner.cleanup()

    async def register(self, server: fakes.FakeServer) -> None:
        """Make the Service, its slice, and the APIService."""
        meta = {"namespace": NAMESPACE, "name": "api"}
        spec = {"ports": [{"port": 443}], "clusterIP": "None"}
        await server.client.create(codecs.from_tree(core_v1.Service, {"metadata": meta, "spec": spec}))
        await self.appear(server)
        await server.client.create(service())

    async def appear(self, server: fakes.FakeServer) -> None:
        """Make the slice, past the API, which has no endpoints on this machine."""
        tree = {
            "metadata": {"namespace": NAMESPACE, "name": "api-1", "labels": {"kubernetes.io/service-name": "api"}},
            "addressType": "IPv4",
            "ports": [{"name": "", "port": self.port}],
            "endpoints": [{"addresses": ["127.0.0.1"]}],
        }
        slice_ = codecs.from_tree(discovery_v1.EndpointSlice, tree)
        await server.api.registry.collection("discovery.k8s.io", "endpointslices").create(NAMESPACE, "api-1", slice_)

    @web.middleware
    async def _noted(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.asked.append(request)
        self.tell(request)
        if self.held is not None:
            self.holding.set()
            await self.held.wait()
        if not self.healthy:
            return web.Response(status=500, text="ill")
        answer: web.StreamResponse = await handler(request)
        return answer

    async def _resources(self, request: web.Request) -> web.Response:
        tree = {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": GROUP_VERSION, "resources": RESOURCES}
        return web.json_response(tree)

    async def _openapi(self, request: web.Request) -> web.Response:
        return web.json_response({"paths": {ROOT[1:]: {"serverRelativeURL": f"/openapi/v3{ROOT}?hash=H"}}})

    async def _document(self, request: web.Request) -> web.Response:
        return web.json_response({"openapi": "3.0.0", "info": {"title": "Wardle"}, "asked": request.query_string})

    async def _list(self, request: web.Request) -> web.StreamResponse:
        if request.query.get("watch") == "true":
            return await self._watch(request)
        items = list(self.flunders.values())
        meta = {"resourceVersion": str(self._revision)}
        tree = {"kind": "FlunderList", "apiVersion": GROUP_VERSION, "metadata": meta, "items": items}
        return web.json_response(tree)

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        queue: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        self._watches.append(queue)
        while (event := await queue.get()) is not None:
            await response.write(json.dumps(event).encode() + b"\n")
        return response

    async def _create(self, request: web.Request) -> web.Response:
        tree = await request.json()
        self._revision += 1
        tree["apiVersion"], tree["kind"] = GROUP_VERSION, "Flunder"
        tree["metadata"] |= {
            "namespace": NAMESPACE,
            "uid": f"u{self._revision}",
            "resourceVersion": str(self._revision),
        }
        self.flunders[tree["metadata"]["name"]] = tree
        self._tell("ADDED", tree)
        return web.json_response(tree, status=201)

    async def _get(self, request: web.Request) -> web.Response:
        found = self.flunders.get(request.match_info["name"])
        return web.json_response(found) if found is not None else _missing(request.match_info["name"])

    async def _delete(self, request: web.Request) -> web.Response:
        found = self.flunders.pop(request.match_info["name"], None)
        if found is None:
            return _missing(request.match_info["name"])
        self._tell("DELETED", found)
        return web.json_response(found)

    def _tell(self, event: str, tree: dict[str, Any]) -> None:
        for queue in self._watches:
            queue.put_nowait({"type": event, "object": tree})


def _missing(name: str) -> web.Response:
    status = meta_v1.Status(
        status="Failure", reason="NotFound", code=404, message=f'flunders.{GROUP} "{name}" not found'
    )
    return web.Response(status=404, body=codecs.encode(status), content_type="application/json")


def service(**spec: Any) -> apiregistration_v1.APIService:
    tree = {
        "metadata": {"name": f"{VERSION}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "version": VERSION,
            "groupPriorityMinimum": 2000,
            "versionPriority": 200,
            "caBundle": base64.b64encode(authority().ca.read_bytes()).decode(),
            "service": {"namespace": NAMESPACE, "name": "api"},
        }
        | spec,
    }
    return codecs.from_tree(apiregistration_v1.APIService, tree)


async def serve(front_proxy_ca: pathlib.Path) -> None:
    """As a process of its own: says its port, then who asks for what, a line each; what it reads makes it ill."""
    async with FakeAggregated(front_proxy_ca=front_proxy_ca) as server:
        print(json.dumps({"port": server.port, "ca": str(authority().ca)}), flush=True)
        server.tell = lambda request: print(
            json.dumps({"path": request.path, "user": request.headers.get("X-Remote-User")}), flush=True
        )
        while await asyncio.to_thread(sys.stdin.readline):
            server.healthy = False


if __name__ == "__main__":
    asyncio.run(serve(pathlib.Path(sys.argv[1])))
