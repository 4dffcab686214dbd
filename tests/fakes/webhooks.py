"""Webhooks on a real HTTPS port of this machine: what they are asked is kept, what they answer is up to the test."""

from __future__ import annotations

import asyncio
import base64
import functools
import json
import pathlib
import ssl
import tempfile
from collections.abc import Callable
from typing import Any

from aiohttp import web

from pybernetes.api import codecs
from pybernetes.api.types import admissionregistration_v1, core_v1, discovery_v1, meta_v1
from pybernetes.cluster import pki
from pybernetes.kits.clock import SystemClock
from tests.fakes import apiserver as fakes

# The AdmissionRequest -> what the response says beside its uid.
Respond = Callable[[dict[str, Any]], dict[str, Any]]

SERVICE = ("hooks", "default")


@functools.cache
def authority() -> pki.Pki:
    return pki.Pki(pathlib.Path(tempfile.mkdtemp(prefix="webhooks-")), SystemClock())


def bundle() -> str:
    """The certificate that webhooks here are trusted by."""
    return base64.b64encode(authority().ca.read_bytes()).decode()


def patch(*steps: dict[str, Any]) -> dict[str, Any]:
    """A response that changes the object."""
    return {
        "allowed": True,
        "patch": base64.b64encode(json.dumps(steps).encode()).decode(),
        "patchType": "JSONPatch",
    }


class FakeWebhooks:
    """`async with FakeWebhooks() as hooks`; `hooks.on["/path"]` answers what comes to the path."""

    def __init__(self) -> None:
        self.on: dict[str, Respond] = {}
        # Whole documents in the place of reviews, as bytes, with their status codes.
        self.raw: dict[str, tuple[int, bytes]] = {}
        # Paths that answer when the event is set.
        self.held: dict[str, asyncio.Event] = {}
        self.asked: list[tuple[str, dict[str, Any]]] = []
        # Set once anything has come.
        self.arrived = asyncio.Event()
        self.connections: set[Any] = set()
        self.port = 0

    async def __aenter__(self) -> FakeWebhooks:
        application = web.Application()
        application.router.add_post("/{path:.*}", self._serve)
        self._runner = web.AppRunner(application, shutdown_timeout=0.1)
        await self._runner.setup()
        pair = authority().server("hooks", {"127.0.0.1", "localhost", ".".join((*SERVICE, "svc"))})
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(pair.certificate, pair.key)
        site = web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=context)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        for event in self.held.values():
            event.set()
        await self._runner.cleanup()

    async def _serve(self, request: web.Request) -> web.Response:
        self.connections.add(request.transport)
        review = await request.json()
        self.asked.append((request.path, review))
        self.arrived.set()
        if request.path in self.held:
            await self.held[request.path].wait()
        if request.path in self.raw:
            code, body = self.raw[request.path]
            return web.Response(status=code, body=body, content_type="application/json")
        response = self.on[request.path](review["request"])
        review = {
            "apiVersion": review["apiVersion"],
            "kind": review["kind"],
            "response": {"uid": review["request"]["uid"], **response},
        }
        return web.json_response(review)

    def requests(self, path: str) -> list[dict[str, Any]]:
        """What came to the path."""
        return [review["request"] for at, review in self.asked if at == path]

    def at(self, path: str) -> dict[str, Any]:
        """The clientConfig that leads there."""
        return {"url": f"https://127.0.0.1:{self.port}{path}", "caBundle": bundle()}

    async def as_service(self, server: fakes.FakeServer, path: str) -> dict[str, Any]:
        """The same by way of a Service: its cluster address leads nowhere, its EndpointSlice here."""
        name, namespace = SERVICE
        meta = meta_v1.ObjectMeta(name=name, namespace=namespace)
        ports = [core_v1.ServicePort(name="https", port=8443)]
        await server.client.create(core_v1.Service(metadata=meta, spec=core_v1.ServiceSpec(ports=ports)))
        slice_ = discovery_v1.EndpointSlice(
            metadata=meta_v1.ObjectMeta(name=name, namespace=namespace, labels={"kubernetes.io/service-name": name}),
            addressType="IPv4",
            ports=[discovery_v1.EndpointPort(name="https", port=self.port, protocol="TCP")],
            endpoints=[
                discovery_v1.Endpoint(addresses=["127.0.0.2"], conditions=discovery_v1.EndpointConditions(ready=False)),
                discovery_v1.Endpoint(addresses=["127.0.0.1"]),
            ],
        )
        # Past the API, which has no endpoints on this machine.
        await server.api.registry.collection("discovery.k8s.io", "endpointslices").create(namespace, name, slice_)
        service = {"name": name, "namespace": namespace, "path": path, "port": 8443}
        return {"service": service, "caBundle": bundle()}


def rule(*resources: str, operations: tuple[str, ...] = ("CREATE",), **more: Any) -> dict[str, Any]:
    return {
        "operations": list(operations),
        "apiGroups": ["*"],
        "apiVersions": ["*"],
        "resources": list(resources),
    } | more


def hook(name: str, client_config: dict[str, Any], *rules: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "name": f"{name}.example.com",
        "clientConfig": client_config,
        "rules": list(rules) or [rule("configmaps")],
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
    } | more


def validating(name: str, *hooks: dict[str, Any]) -> admissionregistration_v1.ValidatingWebhookConfiguration:
    return codecs.from_tree(
        admissionregistration_v1.ValidatingWebhookConfiguration, {"metadata": {"name": name}, "webhooks": list(hooks)}
    )


def mutating(name: str, *hooks: dict[str, Any]) -> admissionregistration_v1.MutatingWebhookConfiguration:
    return codecs.from_tree(
        admissionregistration_v1.MutatingWebhookConfiguration, {"metadata": {"name": name}, "webhooks": list(hooks)}
    )
