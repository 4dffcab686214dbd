"""Nothing is answered that is not granted: every route and verb that is served, walked without rights, with the least
that do, and from beside them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import NamedTuple

import pytest

from pybernetes.api import codecs, errors
from pybernetes.api.types import apiextensions_v1, core_v1, meta_v1, rbac_v1
from pybernetes.apiserver import request as requests
from tests.fakes import apiserver as fakes

GROUP = "rbac.authorization.k8s.io"
METHODS = {
    "create": "POST",
    "get": "GET",
    "list": "GET",
    "watch": "GET",
    "update": "PUT",
    "patch": "PATCH",
    "delete": "DELETE",
    "deletecollection": "DELETE",
}
# What is asked of nothing but one object.
NAMED = ("get", "update", "patch", "delete")
# Everybody may ask who he is, and what he may.
OPEN = ("selfsubjectreviews", "selfsubjectaccessreviews", "selfsubjectrulesreviews")
DEFINITION = {
    "metadata": {"name": "widgets.example.com"},
    "spec": {
        "group": "example.com",
        "scope": "Namespaced",
        "names": {"plural": "widgets", "kind": "Widget", "singular": "widget", "listKind": "WidgetList"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                },
                "subresources": {
                    "status": {},
                    "scale": {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"},
                },
            }
        ],
    },
}


class Route(NamedTuple):
    """A resource or subresource, and a verb that it has."""

    group: str
    version: str
    resource: str
    subresource: str
    namespaced: bool
    verb: str

    def path(self, namespace: str = "default") -> str:
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        where = f"{root}/namespaces/{namespace}" if self.namespaced else root
        path = f"{where}/{self.resource}"
        if self.subresource or self.verb in NAMED:
            path += "/x"
        return f"{path}/{self.subresource}" if self.subresource else path

    @property
    def whole(self) -> str:
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource


def routes(server: fakes.FakeServer) -> Iterator[Route]:
    for resource in server.api.registry.resources():
        name, _, subresource = resource.name.partition("/")
        for verb in resource.verbs:
            yield Route(resource.group, resource.version, name, subresource, resource.namespaced, verb)


async def ask(server: fakes.FakeServer, user: requests.User | None, route: Route, namespace: str = "default") -> str:
    """ "" where authorization let it through, otherwise the refusal."""
    request = requests.Request(
        method=METHODS[route.verb],
        path=route.path(namespace),
        raw_query="watch=1" if route.verb == "watch" else "",
        headers={},
        certificate_user=user,
    )
    return await outcome(server, request)


async def outcome(server: fakes.FakeServer, request: requests.Request) -> str:
    try:
        await server.api.handler(request)
    except errors.StatusError as error:
        text = str(error)
        refused = error.code == 401 or (error.code == 403 and " cannot " in text)
        return text if refused else ""
    finally:
        if request.seats is not None:
            request.seats.leave()
        if request.finished is not None:
            request.finished()
    return ""


async def grant(server: fakes.FakeServer, user: str, rule: rbac_v1.PolicyRule, *, namespace: str) -> None:
    """The rule to the user, in the namespace, or "" for everywhere."""
    reference = rbac_v1.RoleRef(apiGroup=GROUP, kind="ClusterRole", name=user)
    subjects = [rbac_v1.Subject(kind="User", name=user, apiGroup=GROUP)]
    meta = meta_v1.ObjectMeta(name=user)
    await server.client.create(rbac_v1.ClusterRole(metadata=meta, rules=[rule]))
    meta = meta_v1.ObjectMeta(name=user, namespace=namespace)
    kind = rbac_v1.RoleBinding if namespace else rbac_v1.ClusterRoleBinding
    await server.client.create(kind(metadata=meta, roleRef=reference, subjects=subjects))


def somebody(name: str) -> requests.User:
    """Without the rights of all that are authenticated, which would blur the picture."""
    return requests.User(name)


@pytest.fixture
async def server() -> AsyncIterator[fakes.FakeServer]:
    async with fakes.FakeServer() as running:
        definition = codecs.decode(apiextensions_v1.CustomResourceDefinition, codecs.encode(DEFINITION))
        await running.client.create(definition)
        await running.clock.advance(5.0)
        yield running


async def test_nobody_gets_anything(server: fakes.FakeServer) -> None:
    walked = list(routes(server))
    assert {route.whole for route in walked} >= {
        "pods/exec",
        "nodes/proxy",
        "widgets",
        "widgets/status",
        "widgets/scale",
    }
    assert len(walked) > 400
    for user in (None, somebody("nobody"), fakes.ALICE):
        for route in walked:
            if user is fakes.ALICE and route.resource in OPEN:
                continue
            assert await ask(server, user, route), (user, route)


async def test_the_least_role_does_and_does_no_more(server: fakes.FakeServer) -> None:
    """For each route somebody who has this alone: he gets past the gate there, and nowhere beside it."""
    walked = list(routes(server))
    beside: dict[tuple[str, str], list[Route]] = {}
    for route in walked:
        beside.setdefault((route.group, route.resource), []).append(route)
    for number, route in enumerate(walked):
        name, namespace = f"u{number}", "default" if route.namespaced else ""
        rule = rbac_v1.PolicyRule(verbs=[route.verb], apiGroups=[route.group], resources=[route.whole])
        await grant(server, name, rule, namespace=namespace)
        user = somebody(name)
        if route.whole in ("pods/exec", "pods/attach", "pods/portforward") and route.verb == "get":
            # Running things takes `create`, however they begin.
            assert "cannot create" in await ask(server, user, route)
        elif route.subresource != "proxy":
            assert not await ask(server, user, route), route
        if route.namespaced:
            assert await ask(server, user, route, "kube-system"), route
        for other in beside[route.group, route.resource]:
            if (other.verb, other.whole) != (route.verb, route.whole):
                assert await ask(server, user, other), (route, other)


async def test_groups_of_one_name_are_apart(server: fakes.FakeServer) -> None:
    everything = rbac_v1.PolicyRule(verbs=["*"], apiGroups=["example.com"], resources=["*"])
    await grant(server, "owner", everything, namespace="")
    for route in routes(server):
        assert bool(await ask(server, somebody("owner"), route)) is (route.group != "example.com"), route


async def test_paths_that_are_no_resources(server: fakes.FakeServer) -> None:
    listed = (await server.ask("GET", "/")).tree()["paths"]
    everybody = ("/healthz", "/livez", "/readyz", "/version")
    for path in (*listed, "/", "/debug/pprof", "/logs", "/swagger.json", "/api/v1/../../metrics", "//metrics"):
        request = requests.Request(method="GET", path=path)
        # Below the health checks only RBAC's word for them is known: not what they are of.
        assert bool(await outcome(server, request)) is (path not in everybody), path
        for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
            assert await outcome(server, requests.Request(method=method, path=path)), (method, path)


class TestWaysAround:
    async def test_names_do_not_open_lists(self, server: fakes.FakeServer) -> None:
        rule = rbac_v1.PolicyRule(
            verbs=["get", "list", "watch", "deletecollection"],
            apiGroups=[""],
            resources=["secrets"],
            resourceNames=["mine"],
        )
        await grant(server, "bob", rule, namespace="default")
        secrets = "/api/v1/namespaces/default/secrets"
        for query, refused in (
            ("fieldSelector=metadata.name%3Dmine", False),
            ("fieldSelector=metadata.name%3Dmine&fieldSelector=", False),
            ("fieldSelector=&fieldSelector=metadata.name%3Dmine", True),
            ("fieldSelector=metadata.name!%3Dmine", True),
            ("fieldSelector=metadata.namespace%3Dmine", True),
            ("labelSelector=metadata.name%3Dmine", True),
            ("FieldSelector=metadata.name%3Dmine", True),
            ("", True),
        ):
            request = requests.Request(method="GET", path=secrets, raw_query=query, certificate_user=somebody("bob"))
            assert bool(await outcome(server, request)) is refused, query
        request = requests.Request(
            method="DELETE",
            path=secrets,
            raw_query="fieldSelector=metadata.name%3Dmine",
            certificate_user=somebody("bob"),
        )
        assert await outcome(server, request)

    async def test_old_ways_to_watch_take_the_right_to(self, server: fakes.FakeServer) -> None:
        rule = rbac_v1.PolicyRule(verbs=["get", "list"], apiGroups=[""], resources=["secrets"])
        await grant(server, "bob", rule, namespace="default")
        for path in ("/api/v1/watch/namespaces/default/secrets", "/api/v1/watch/namespaces/default/secrets/x"):
            request = requests.Request(method="GET", path=path, certificate_user=somebody("bob"))
            assert "cannot watch" in await outcome(server, request)

    async def test_a_token_ends_with_its_pod(self, server: fakes.FakeServer) -> None:
        account = await server.account()
        pod = await server.client.create(fakes.pod("p"))
        bound = {"kind": "Pod", "apiVersion": "v1", "name": "p", "uid": pod.metadata.uid}
        path = "/api/v1/namespaces/default/serviceaccounts/default/token"
        made = await server.ask("POST", path, {"spec": {"boundObjectRef": bound}})
        token = made.tree()["status"]["token"]
        whoami = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
        assert (await server.ask("POST", whoami, {}, token=token)).code == 201
        await server.client.delete(core_v1.Pod, "p", "default", grace=0)
        assert (await server.ask("POST", whoami, {}, token=token)).code == 401
        assert account.metadata.uid

    async def test_acting_as_somebody_takes_the_right_to_each_part(self, server: fakes.FakeServer) -> None:
        rule = rbac_v1.PolicyRule(verbs=["impersonate"], apiGroups=[""], resources=["users"], resourceNames=["bob"])
        await grant(server, "alice", rule, namespace="")
        whoami = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
        for headers, code in (
            ({"impersonate_user": "bob"}, 201),
            ({"impersonate_user": "admin"}, 403),
            ({"impersonate_user": "bob", "impersonate_group": "system:masters"}, 403),
            ({"impersonate_user": "bob", "impersonate_uid": "7"}, 403),
            ({"impersonate_user": "bob", "impersonate_extra_scopes": "all"}, 403),
            ({"impersonate_user": "system:serviceaccount:kube-system:default"}, 403),
            ({"impersonate_user": "system:node:n1"}, 403),
        ):
            assert (await server.ask("POST", whoami, {}, token="alice", **headers)).code == code, headers

    async def test_constrained_impersonation_takes_both_rights(self, server: fakes.FakeServer) -> None:
        be = rbac_v1.PolicyRule(
            verbs=["impersonate:user-info"], apiGroups=["authentication.k8s.io"], resources=["users", "groups"]
        )
        await grant(server, "alice", be, namespace="")
        whoami = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
        refused = await server.ask("POST", whoami, {}, token="alice", impersonate_user="bob")
        assert "cannot impersonate-on:user-info:create" in refused.message
        act = rbac_v1.PolicyRule(
            verbs=["impersonate-on:user-info:create"],
            apiGroups=["authentication.k8s.io"],
            resources=["selfsubjectreviews"],
        )
        reference = rbac_v1.RoleRef(apiGroup=GROUP, kind="ClusterRole", name="acting")
        meta = meta_v1.ObjectMeta(name="acting")
        await server.client.create(rbac_v1.ClusterRole(metadata=meta, rules=[act]))
        subjects = [rbac_v1.Subject(kind="User", name="alice", apiGroup=GROUP)]
        meta = meta_v1.ObjectMeta(name="acting")
        await server.client.create(rbac_v1.ClusterRoleBinding(metadata=meta, roleRef=reference, subjects=subjects))
        answer = await server.ask("POST", whoami, {}, token="alice", impersonate_user="bob", impersonate_group="dev")
        assert answer.tree()["status"]["userInfo"]["groups"] == ["dev", "system:authenticated"]
        refused = await server.ask(
            "POST", whoami, {}, token="alice", impersonate_user="bob", impersonate_group="system:masters"
        )
        assert refused.message.endswith("impersonating the system:masters group is not allowed")
        # It is for that one verb.
        listing = await server.ask("GET", "/api/v1/pods", token="alice", impersonate_user="bob")
        assert listing.code == 403
