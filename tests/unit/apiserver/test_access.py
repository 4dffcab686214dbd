"""Who asks and what they may: tokens, reviews, RBAC, nodes, impersonation."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from pybernetes.api import codecs, errors
from pybernetes.api.types import authentication_v1, core_v1, meta_v1, rbac_v1
from pybernetes.apiserver import request as requests
from pybernetes.kits import clock as clocks
from tests.fakes import apiserver as fakes

MAPS = "/api/v1/namespaces/default/configmaps"
GROUP = "rbac.authorization.k8s.io"


@pytest.fixture
async def server() -> AsyncIterator[fakes.FakeServer]:
    async with fakes.FakeServer() as running:
        yield running


async def grant(
    server: fakes.FakeServer, verbs: list[str], resources: list[str], *, names: list[str] | None = None
) -> None:
    """A role and its binding for alice in namespace default."""
    rule = rbac_v1.PolicyRule(verbs=verbs, apiGroups=[""], resources=resources, resourceNames=names or [])
    meta = meta_v1.ObjectMeta(name="granted", namespace="default")
    await server.client.create(rbac_v1.Role(metadata=meta, rules=[rule]))
    await server.client.create(
        rbac_v1.RoleBinding(
            metadata=codecs.copy(meta),
            subjects=[rbac_v1.Subject(kind="User", name="alice", apiGroup=GROUP)],
            roleRef=rbac_v1.RoleRef(apiGroup=GROUP, kind="Role", name="granted"),
        )
    )


class TestAuthentication:
    async def test_static_tokens(self, server: fakes.FakeServer) -> None:
        assert (await server.ask("GET", MAPS, token="admin")).code == 200
        answer = await server.ask("GET", MAPS, token="wrong")
        assert (answer.code, answer.message) == (401, "Unauthorized")

    @pytest.mark.parametrize("token", ["a.b.c", "...", "e30.e30.e30", "W10.e30.AA", "\u00e9.x.y", "a" * 5000])
    async def test_what_is_no_token_is_refused(self, server: fakes.FakeServer, token: str) -> None:
        assert (await server.ask("GET", MAPS, token=token)).code == 401

    async def test_nobody_is_anonymous(self, server: fakes.FakeServer) -> None:
        answer = await server.ask("GET", MAPS, token="")
        assert answer.code == 403
        assert answer.message == (
            'configmaps is forbidden: User "system:anonymous" cannot list resource "configmaps" in API group "" '
            'in the namespace "default"'
        )
        assert (await server.ask("GET", "/healthz", token="")).code == 200
        answer = await server.ask("GET", "/metrics", token="")
        assert answer.message == 'forbidden: User "system:anonymous" cannot get path "/metrics"'

    async def test_anonymous_may_be_switched_off(self) -> None:
        async with fakes.FakeServer(anonymous=False) as server:
            assert (await server.ask("GET", "/healthz", token="")).code == 401


class TestTokens:
    async def token(self, server: fakes.FakeServer, **spec: Any) -> fakes.Answer:
        path = "/api/v1/namespaces/default/serviceaccounts/default/token"
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"audiences": [], **spec}}
        return await server.ask("POST", path, body)

    async def review(self, server: fakes.FakeServer, token: str, *audiences: str) -> dict[str, Any]:
        body = {"spec": {"token": token, "audiences": list(audiences)}}
        answer = await server.ask("POST", "/apis/authentication.k8s.io/v1/tokenreviews", body)
        assert answer.code == 201
        found: dict[str, Any] = answer.tree()["status"]
        return found

    async def whoami(self, server: fakes.FakeServer, token: str) -> fakes.Answer:
        return await server.ask("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", {}, token=token)

    async def test_lives_for_its_time(self, server: fakes.FakeServer) -> None:
        await server.account()
        answer = await self.token(server, expirationSeconds=600)
        assert answer.code == 201
        status = answer.tree()["status"]
        assert status["expirationTimestamp"] == "2023-11-14T22:23:20Z"
        user = (await self.whoami(server, status["token"])).tree()["status"]["userInfo"]
        assert user["username"] == "system:serviceaccount:default:default"
        assert user["groups"] == [
            "system:serviceaccounts",
            "system:serviceaccounts:default",
            "system:authenticated",
        ]
        await server.clock.advance(599)
        assert (await self.whoami(server, status["token"])).code == 201
        await server.clock.advance(1)
        assert (await self.whoami(server, status["token"])).code == 401
        assert "expired" in (await self.review(server, status["token"]))["error"]

    async def test_is_for_its_audiences(self, server: fakes.FakeServer) -> None:
        await server.account()
        token = (await self.token(server, audiences=["vault"])).tree()["status"]["token"]
        assert (await self.whoami(server, token)).code == 401
        assert (await self.review(server, token)).get("authenticated") is None
        reviewed = await self.review(server, token, "vault", "other")
        assert (reviewed["authenticated"], reviewed["audiences"]) == (True, ["vault"])

    async def test_dies_with_its_pod(self, server: fakes.FakeServer) -> None:
        await server.account()
        pod = await server.client.create(fakes.pod("p"))
        bound = {"kind": "Pod", "apiVersion": "v1", "name": "p", "uid": pod.metadata.uid}
        token = (await self.token(server, boundObjectRef=bound)).tree()["status"]["token"]
        user = (await self.review(server, token))["user"]
        assert user["extra"]["authentication.kubernetes.io/pod-name"] == ["p"]
        await server.client.delete(core_v1.Pod, "p", "default")
        assert (await self.whoami(server, token)).code == 401
        await server.client.create(fakes.pod("p"))
        assert (await self.whoami(server, token)).code == 401

    async def test_dies_with_its_account(self, server: fakes.FakeServer) -> None:
        await server.account()
        token = (await self.token(server)).tree()["status"]["token"]
        await server.client.delete(core_v1.ServiceAccount, "default", "default")
        assert (await self.whoami(server, token)).code == 401
        await server.account()
        assert (await self.whoami(server, token)).code == 401

    async def test_a_mounted_one_outlives_what_it_says(self, server: fakes.FakeServer) -> None:
        await server.account()
        pod = await server.client.create(fakes.pod("p"))
        bound = {"kind": "Pod", "apiVersion": "v1", "name": "p", "uid": pod.metadata.uid}
        status = (await self.token(server, expirationSeconds=3607, boundObjectRef=bound)).tree()["status"]
        assert status["expirationTimestamp"] == "2023-11-14T23:13:27Z"
        await server.clock.advance(7200)
        assert (await self.whoami(server, status["token"])).code == 201

    @pytest.mark.parametrize(
        ("spec", "code"),
        [
            ({"expirationSeconds": 599}, 422),
            ({"expirationSeconds": 1 << 33}, 422),
            ({"boundObjectRef": {"kind": "ConfigMap", "name": "x"}}, 400),
            ({"boundObjectRef": {"kind": "Pod", "name": "missing"}}, 404),
        ],
    )
    async def test_refusals(self, server: fakes.FakeServer, spec: dict[str, Any], code: int) -> None:
        await server.account()
        assert (await self.token(server, **spec)).code == code

    async def test_binding_to_another_incarnation_or_account(self, server: fakes.FakeServer) -> None:
        await server.account()
        await server.account("other")
        await server.client.create(fakes.pod("p"))
        assert (await self.token(server, boundObjectRef={"kind": "Pod", "name": "p", "uid": "x"})).code == 409
        wanted = fakes.pod("q")
        wanted.spec.serviceAccountName = "other"
        await server.client.create(wanted)
        assert (await self.token(server, boundObjectRef={"kind": "Pod", "name": "q"})).code == 400

    async def test_of_a_missing_account(self, server: fakes.FakeServer) -> None:
        assert (await self.token(server)).code == 404

    async def test_legacy_ones_live_as_long_as_their_secret(self, server: fakes.FakeServer) -> None:
        account = await server.account()
        await server.client.create(core_v1.Secret(metadata=meta_v1.ObjectMeta(name="s", namespace="default")))
        token = server.api.signer.issue_legacy(
            namespace="default", name="default", uid=account.metadata.uid, secret="s"
        )
        assert (await self.whoami(server, token)).code == 201
        await server.client.delete(core_v1.Secret, "s", "default")
        assert (await self.whoami(server, token)).code == 401

    async def test_uses_of_legacy_ones_are_noted_and_invalid_ones_refused(self, server: fakes.FakeServer) -> None:
        account = await server.account()
        await server.client.create(core_v1.Secret(metadata=meta_v1.ObjectMeta(name="s", namespace="default")))
        token = server.api.signer.issue_legacy(
            namespace="default", name="default", uid=account.metadata.uid, secret="s"
        )
        tracking = "kube-apiserver-legacy-service-account-token-tracking"
        since = (await server.client.get(core_v1.ConfigMap, tracking, "kube-system")).data["since"]
        assert (await self.whoami(server, token)).code == 201
        await clocks.settle()
        secret = await server.client.get(core_v1.Secret, "s", "default")
        assert secret.metadata.labels == {"kubernetes.io/legacy-token-last-used": since}
        label = "kubernetes.io/legacy-token-invalid-since"
        await server.client.patch(core_v1.Secret, "s", "default", {"metadata": {"labels": {label: "2020-01-01"}}})
        assert (await self.whoami(server, token)).code == 401
        assert (
            "has been marked invalid. Use tokens from the TokenRequest API"
            in ((await self.review(server, token))["error"])
        )

    async def test_through_the_client(self, server: fakes.FakeServer) -> None:
        await server.account()
        request = authentication_v1.TokenRequest(spec=authentication_v1.TokenRequestSpec(audiences=["x"]))
        made = await server.client.post(core_v1.ServiceAccount, "default", "default", "token", request)
        assert made.status.token

    async def test_a_review_needs_one(self, server: fakes.FakeServer) -> None:
        answer = await server.ask("POST", "/apis/authentication.k8s.io/v1/tokenreviews", {"spec": {}})
        assert answer.code == 400
        assert (await self.review(server, "nonsense"))["error"]
        assert (await self.review(server, "alice"))["user"]["username"] == "alice"


class TestRbac:
    async def test_allows_what_is_granted_where(self, server: fakes.FakeServer) -> None:
        assert (await server.ask("GET", MAPS, token="alice")).code == 403
        await grant(server, ["get", "list"], ["configmaps"])
        assert (await server.ask("GET", MAPS, token="alice")).code == 200
        assert (await server.ask("GET", "/api/v1/configmaps", token="alice")).code == 403
        assert (await server.ask("GET", "/api/v1/namespaces/kube-system/configmaps", token="alice")).code == 403
        assert (await server.ask("DELETE", f"{MAPS}/a", token="alice")).code == 403
        assert (await server.ask("GET", f"{MAPS}?watch=1", token="alice")).code == 403

    async def test_a_change_takes_effect_at_once(self, server: fakes.FakeServer) -> None:
        await grant(server, ["list"], ["configmaps"])
        assert (await server.ask("GET", MAPS, token="alice")).code == 200
        await server.client.patch(rbac_v1.Role, "granted", "default", {"rules": []})
        assert (await server.ask("GET", MAPS, token="alice")).code == 403
        rule = {"verbs": ["list"], "apiGroups": [""], "resources": ["*"]}
        await server.client.patch(rbac_v1.Role, "granted", "default", {"rules": [rule]})
        assert (await server.ask("GET", MAPS, token="alice")).code == 200
        await server.client.delete(rbac_v1.RoleBinding, "granted", "default")
        assert (await server.ask("GET", MAPS, token="alice")).code == 403

    async def test_names(self, server: fakes.FakeServer) -> None:
        await grant(server, ["get", "list", "watch"], ["configmaps"], names=["mine"])
        await server.client.create(fakes.config_map("mine"))
        assert (await server.ask("GET", f"{MAPS}/mine", token="alice")).code == 200
        assert (await server.ask("GET", f"{MAPS}/other", token="alice")).code == 403
        assert (await server.ask("GET", MAPS, token="alice")).code == 403
        answer = await server.ask("GET", f"{MAPS}?fieldSelector=metadata.name%3Dmine", token="alice")
        assert [item["metadata"]["name"] for item in answer.tree()["items"]] == ["mine"]
        watch = await server.watch(f"{MAPS}?watch=1&fieldSelector=metadata.name%3Dmine", token="alice")
        assert (await watch.event())["object"]["metadata"]["name"] == "mine"
        for query in ("metadata.name!%3Dmine", "metadata.name%3Dother", "%3D%3D%3D"):
            assert (await server.ask("GET", f"{MAPS}?fieldSelector={query}", token="alice")).code == 403

    async def test_subresources_are_granted_by_themselves(self, server: fakes.FakeServer) -> None:
        await server.account()
        await server.client.create(fakes.pod("p"))
        await grant(server, ["get"], ["pods/status"])
        path = "/api/v1/namespaces/default/pods/p"
        assert (await server.ask("GET", path, token="alice")).code == 403
        assert (await server.ask("GET", f"{path}/status", token="alice")).code == 200

    async def test_exec_takes_create_also_where_it_begins_with_get(self, server: fakes.FakeServer) -> None:
        await server.account()
        await server.client.create(fakes.pod("p", node="n1"))
        await grant(server, ["get"], ["pods/exec", "pods"])
        answer = await server.ask("GET", "/api/v1/namespaces/default/pods/p/exec?command=ls", token="alice")
        assert answer.code == 403
        assert 'cannot create resource "pods/exec"' in answer.message


class TestNodes:
    async def test_a_kubelet_may_do_its_work_and_no_more(self, server: fakes.FakeServer) -> None:
        kubelet = server.as_user(requests.User("system:node:n1", groups=("system:nodes", "system:authenticated")))
        await kubelet.create(core_v1.Node(metadata=meta_v1.ObjectMeta(name="n1")))
        await kubelet.list(core_v1.Pod, fields="spec.nodeName=n1")
        with pytest.raises(errors.StatusError) as caught:
            await kubelet.create(fakes.config_map("a"))
        assert caught.value.reason == "Forbidden"
        for user in (
            requests.User("system:node:n1", groups=("system:authenticated",)),
            requests.User("mallory", groups=("system:nodes", "system:authenticated")),
        ):
            with pytest.raises(errors.StatusError):
                await server.as_user(user).list(core_v1.Pod)


class TestReviews:
    ROOT = "/apis/authorization.k8s.io/v1"
    LIST = {"verb": "list", "resource": "configmaps", "namespace": "default"}

    async def test_of_oneself(self, server: fakes.FakeServer) -> None:
        path = f"{self.ROOT}/selfsubjectaccessreviews"
        body = {"spec": {"resourceAttributes": self.LIST}}
        assert (await server.ask("POST", path, body, token="alice")).tree()["status"]["allowed"] is False
        await grant(server, ["list"], ["configmaps"])
        status = (await server.ask("POST", path, body, token="alice")).tree()["status"]
        assert status["allowed"] is True
        assert 'RoleBinding "granted/default" of Role "granted"' in status["reason"]

    async def test_of_others(self, server: fakes.FakeServer) -> None:
        await grant(server, ["list"], ["configmaps"])
        for user, allowed in (("alice", True), ("bob", False)):
            body = {"spec": {"user": user, "resourceAttributes": self.LIST}}
            answer = await server.ask("POST", f"{self.ROOT}/subjectaccessreviews", body)
            assert answer.tree()["status"]["allowed"] is allowed
        local = f"{self.ROOT}/namespaces/default/localsubjectaccessreviews"
        body = {"spec": {"user": "alice", "resourceAttributes": self.LIST}}
        assert (await server.ask("POST", local, body)).tree()["status"]["allowed"] is True
        body = {"spec": {"user": "alice", "resourceAttributes": {**self.LIST, "namespace": "other"}}}
        assert (await server.ask("POST", local, body)).code == 422

    async def test_of_paths(self, server: fakes.FakeServer) -> None:
        body = {"spec": {"nonResourceAttributes": {"verb": "get", "path": "/healthz"}}}
        path = f"{self.ROOT}/selfsubjectaccessreviews"
        assert (await server.ask("POST", path, body, token="alice")).tree()["status"]["allowed"] is True

    @pytest.mark.parametrize(
        "spec",
        [
            {"user": "alice"},
            {"user": "a", "resourceAttributes": {}, "nonResourceAttributes": {}},
            {"resourceAttributes": {}},
        ],
    )
    async def test_contradictory_questions(self, server: fakes.FakeServer, spec: dict[str, Any]) -> None:
        assert (await server.ask("POST", f"{self.ROOT}/subjectaccessreviews", {"spec": spec})).code == 422

    async def test_of_rules(self, server: fakes.FakeServer) -> None:
        await grant(server, ["list"], ["configmaps"])
        body = {"spec": {"namespace": "default"}}
        status = (await server.ask("POST", f"{self.ROOT}/selfsubjectrulesreviews", body, token="alice")).tree()[
            "status"
        ]
        assert {"verbs": ["list"], "apiGroups": [""], "resources": ["configmaps"]} in status["resourceRules"]
        assert (await server.ask("POST", f"{self.ROOT}/selfsubjectrulesreviews", {"spec": {}})).code == 400

    async def test_are_only_created(self, server: fakes.FakeServer) -> None:
        assert (await server.ask("GET", f"{self.ROOT}/subjectaccessreviews")).code == 405


class TestImpersonation:
    async def test_for_those_who_may(self, server: fakes.FakeServer) -> None:
        path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
        answer = await server.ask("POST", path, {}, impersonate_user="bob", impersonate_group="dev")
        info = answer.tree()["status"]["userInfo"]
        assert (info["username"], info["groups"]) == ("bob", ["dev", "system:authenticated"])
        answer = await server.ask("POST", path, {}, impersonate_user="system:serviceaccount:ns:sa")
        assert "system:serviceaccounts:ns" in answer.tree()["status"]["userInfo"]["groups"]
        refused = await server.ask("POST", path, {}, token="alice", impersonate_user="bob")
        assert refused.code == 403
        assert 'cannot impersonate-on:user-info:create resource "selfsubjectreviews"' in refused.message
        refused = await server.ask("POST", path, {}, impersonate_group="dev")
        assert refused.code == 400
        assert refused.message == (
            'requested &user.DefaultInfo{Name:"", UID:"", Groups:[]string{"dev"}, Extra:map[string][]string(nil)} '
            "without impersonating a user name"
        )
