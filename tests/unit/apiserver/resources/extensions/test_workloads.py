"""Manifests of 2017 against a server that has their versions switched on."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from pybernetes.api import codecs
from pybernetes.api.types import apps_v1, apps_v1beta1, extensions_v1beta1, networking_v1
from pybernetes.apiserver import server as servers
from pybernetes.apiserver.resources import table
from tests.fakes import apiserver as fakes

CONFIG = "extensions/v1beta1=true,apps/v1beta1=true,apps/v1beta2=true"
TEMPLATE = {
    "metadata": {"labels": {"app": "nginx"}},
    "spec": {"containers": [{"name": "nginx", "image": "nginx:1.7.9"}]},
}


@pytest.fixture
async def server() -> AsyncIterator[fakes.FakeServer]:
    fake = fakes.FakeServer()
    fake.api = servers.ApiServer(
        fake.api.settings,
        fake.store,
        clock=fake.clock,
        chance=fakes.Chance(7),
        kinds=table.kinds(table.parse_runtime_config(CONFIG)),
    )
    fake.client = fake.as_user(fakes.ADMIN)
    async with fake:
        yield fake


async def test_a_deployment_without_a_selector(server: fakes.FakeServer) -> None:
    meta = {"name": "web", "namespace": "default"}
    old = codecs.from_tree(extensions_v1beta1.Deployment, {"metadata": meta, "spec": {"template": TEMPLATE}})
    made = await server.client.create(old)
    assert made.apiVersion == "extensions/v1beta1"
    assert made.spec.selector.matchLabels == made.metadata.labels == {"app": "nginx"}
    assert made.spec.strategy.rollingUpdate.maxSurge == 1
    assert made.spec.progressDeadlineSeconds == 2**31 - 1
    now = await server.client.get(apps_v1.Deployment, "web", "default")
    assert (now.apiVersion, now.metadata.uid, now.spec) == ("apps/v1", made.metadata.uid, made.spec)


async def test_a_stateful_set_whose_pods_stay(server: fakes.FakeServer) -> None:
    meta = {"name": "db", "namespace": "default"}
    old = codecs.from_tree(
        apps_v1beta1.StatefulSet, {"metadata": meta, "spec": {"serviceName": "db", "template": TEMPLATE}}
    )
    made = await server.client.create(old)
    assert made.spec.updateStrategy.type == "OnDelete"
    assert made.spec.selector.matchLabels == {"app": "nginx"}


async def test_an_ingress_with_its_backends_side_by_side(server: fakes.FakeServer) -> None:
    backend = {"serviceName": "web", "servicePort": 80}
    rules = [{"http": {"paths": [{"path": "/", "backend": backend | {"servicePort": "http"}}]}}]
    old = codecs.from_tree(
        extensions_v1beta1.Ingress,
        {"metadata": {"name": "web", "namespace": "default"}, "spec": {"backend": backend, "rules": rules}},
    )
    made = await server.client.create(old)
    assert made.spec.backend.servicePort == 80
    now = await server.client.get(networking_v1.Ingress, "web", "default")
    assert now.spec.defaultBackend.service.port.number == 80
    (path,) = now.spec.rules[0].http.paths
    assert (path.backend.service.port.name, path.pathType) == ("http", "ImplementationSpecific")
    again = await server.client.get(extensions_v1beta1.Ingress, "web", "default")
    assert again.spec == made.spec
