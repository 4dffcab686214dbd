from __future__ import annotations

import json
from typing import Any

import pytest

from pybernetes.api import codecs, errors
from pybernetes.api.types import core_v1, meta_v1
from tests.fakes import apiserver as fakes


def namespace(name: str = "n", **labels: str) -> core_v1.Namespace:
    found = {f"pod-security.kubernetes.io/{mode}": level for mode, level in labels.items()}
    return core_v1.Namespace(metadata=meta_v1.ObjectMeta(name=name, labels=found))


async def serve(server: fakes.FakeServer, **labels: str) -> core_v1.Namespace:
    made = await server.client.create(namespace(**labels))
    await server.account(namespace="n")
    return made


def template(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}], **spec}}


async def warnings(server: fakes.FakeServer, method: str, path: str, body: Any) -> str:
    answer = await server.ask(method, path, body)
    assert answer.code in (200, 201), answer.body
    return answer.headers.get("warning", "")


async def test_pods_are_refused() -> None:
    async with fakes.FakeServer() as server:
        await serve(server, enforce="restricted")
        with pytest.raises(errors.StatusError) as caught:
            await server.client.create(fakes.pod("p", "n"))
        assert caught.value.code == 403
        assert str(caught.value).startswith(
            'pods "p" is forbidden: violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false '
            '(container "c" must set securityContext.allowPrivilegeEscalation=false), unrestricted capabilities ('
        )
        await server.account()
        await server.client.create(fakes.pod("p"))
        relaxed = codecs.copy(await server.client.get(core_v1.Namespace, "n"))
        relaxed.metadata.labels = {}
        await server.client.update(relaxed)
        await server.client.create(fakes.pod("p", "n"))


async def test_pods_are_warned_of() -> None:
    async with fakes.FakeServer() as server:
        await serve(server, warn="baseline")
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": template(hostNetwork=True)["spec"]}
        told = await warnings(server, "POST", "/api/v1/namespaces/n/pods", pod)
        assert told == '299 - "would violate PodSecurity \\"baseline:latest\\": host namespaces (hostNetwork=true)"'


async def test_templates_are_warned_of_and_let_pass() -> None:
    async with fakes.FakeServer() as server:
        await serve(server, enforce="baseline")
        deployment = {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "d"},
            "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": template(hostPID=True)},
        }
        told = await warnings(server, "POST", "/apis/apps/v1/namespaces/n/deployments", deployment)
        assert "host namespaces (hostPID=true)" in told


async def test_what_runs_already_may_be_changed() -> None:
    async with fakes.FakeServer() as server:
        made = await serve(server)
        pod = await server.client.create(fakes.pod("p", "n"))
        stricter = codecs.copy(made)
        stricter.metadata.labels["pod-security.kubernetes.io/enforce"] = "restricted"
        await server.client.update(stricter)
        labelled = codecs.copy(pod)
        labelled.metadata.labels["x"] = "y"
        pod = await server.client.update(labelled)
        changed = codecs.copy(pod)
        changed.spec.containers[0].image = "other"
        with pytest.raises(errors.StatusError, match="violates PodSecurity"):
            await server.client.update(changed)


async def test_a_stricter_namespace_warns_of_its_pods() -> None:
    async with fakes.FakeServer() as server:
        made = await serve(server)
        for name in ("a", "b"):
            await server.client.create(fakes.pod(name, "n"))
        tree = codecs.to_tree(made)
        tree["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] = "restricted"
        told = await warnings(server, "PUT", "/api/v1/namespaces/n", tree)
        assert "a (and 1 other pod): allowPrivilegeEscalation != false, unrestricted capabilities, runAsNonRoot" in told


async def test_labels_are_checked() -> None:
    async with fakes.FakeServer() as server:
        with pytest.raises(errors.StatusError, match="must be one of privileged, baseline, restricted") as caught:
            await server.client.create(namespace(enforce="strict"))
        assert caught.value.code == 422


async def test_exemptions_and_defaults() -> None:
    configuration = {
        "PodSecurity": {
            "defaults": {"enforce": "restricted", "enforce-version": "v1.30"},
            "exemptions": {"namespaces": ["free"], "usernames": ["admin"]},
        }
    }
    async with fakes.FakeServer(admission_configuration=configuration, authorization=("AlwaysAllow",)) as server:
        await server.account()
        await server.client.create(fakes.pod("p"))
        alice = server.as_user(fakes.ALICE)
        with pytest.raises(errors.StatusError, match=r'"restricted:v1\.30"'):
            await alice.create(fakes.pod("q"))
        body = json.loads(codecs.encode(namespace("free", enforce="baseline")))
        told = await warnings(server, "POST", "/api/v1/namespaces", body)
        assert "is exempt from Pod Security, and the policy (enforce=baseline:v1.30) will be ignored" in told
        await server.account(namespace="free")
        await alice.create(fakes.pod("q", "free"))
