"""Which credentials count, from the socket on."""

from __future__ import annotations

import asyncio
import base64
import json
import pathlib
from typing import Any

import pytest

from pybernetes.api import times
from pybernetes.api.types import core_v1, meta_v1
from pybernetes.apiserver.authn import settings, webhook
from tests.fakes import apiserver as fakes
from tests.fakes import kubeconfigs
from tests.fakes import webhooks as hooks_

WHOAMI = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"
TOKEN = "abcdef.0123456789abcdef"


async def whoami(server: fakes.FakeServer, token: str = "", **headers: str) -> Any:
    answer = await server.ask("POST", WHOAMI, {}, token=token, **headers)
    return answer.tree()["status"]["userInfo"] if answer.code == 201 else answer.code


def bootstrap_token(**data: str) -> core_v1.Secret:
    given = {
        "token-id": "abcdef",
        "token-secret": "0123456789abcdef",
        "usage-bootstrap-authentication": "true",
        **{name.replace("_", "-"): value for name, value in data.items()},
    }
    return core_v1.Secret(
        metadata=meta_v1.ObjectMeta(name="bootstrap-token-abcdef", namespace="kube-system"),
        type="bootstrap.kubernetes.io/token",
        data={name: base64.b64encode(value.encode()).decode() for name, value in given.items()},
    )


class TestBootstrapTokens:
    async def test_until_they_end(self) -> None:
        who = settings.Authentication(bootstrap_tokens=True)
        async with fakes.FakeServer(authentication=who) as server:
            assert await whoami(server, TOKEN) == 401
            ends = times.to_time(server.clock.time() + 60)
            made = bootstrap_token(expiration=ends, auth_extra_groups="system:bootstrappers:workers")
            await server.client.create(made)
            assert await whoami(server, TOKEN) == {
                "username": "system:bootstrap:abcdef",
                "groups": ["system:bootstrappers", "system:bootstrappers:workers", "system:authenticated"],
            }
            assert await whoami(server, "abcdef.0123456789abcdeX") == 401
            assert await whoami(server, "abcdef.0123456789abcdee") == 401
            await server.clock.advance(60)
            assert await whoami(server, TOKEN) == 401

    @pytest.mark.parametrize(
        "data",
        [
            {"usage_bootstrap_authentication": "false"},
            {"expiration": "soon"},
            {"auth_extra_groups": "system:masters"},
            {"token_id": "ghijkl"},
        ],
    )
    async def test_those_that_are_no_good(self, data: dict[str, str]) -> None:
        async with fakes.FakeServer(authentication=settings.Authentication(bootstrap_tokens=True)) as server:
            # Past validation, which would not have some of them.
            secrets = server.api.registry.collection("", "secrets")
            await secrets.create("kube-system", "bootstrap-token-abcdef", bootstrap_token(**data))
            assert await whoami(server, TOKEN) == 401

    async def test_only_where_they_are_switched_on(self) -> None:
        async with fakes.FakeServer() as server:
            await server.client.create(bootstrap_token())
            assert await whoami(server, TOKEN) == 401


class TestWebhook:
    async def test_it_knows_tokens(self, tmp_path: pathlib.Path) -> None:
        async with hooks_.FakeWebhooks() as hooks:
            file = kubeconfigs.write(tmp_path, f"https://127.0.0.1:{hooks.port}/tokens")
            who = settings.Authentication(webhook=webhook.Settings(kubeconfig=file, ttl=120.0))
            async with fakes.FakeServer(authentication=who) as server:
                status: dict[str, Any] = {
                    "authenticated": True,
                    "user": {"username": "jane", "uid": "7", "groups": ["dev"], "extra": {"k": ["v"]}},
                }
                hooks.raw["/tokens"] = (200, json.dumps({"kind": "TokenReview", "status": status}).encode())
                info = await whoami(server, "jane's")
                assert info["groups"] == ["dev", "system:authenticated"]
                assert info["extra"] == {"k": ["v"]}
                ((_, review),) = hooks.asked
                assert review["spec"]["token"] == "jane's"
                # The answer is kept, also one that says no.
                status = {"authenticated": False, "error": "gone"}
                hooks.raw["/tokens"] = (200, json.dumps({"kind": "TokenReview", "status": status}).encode())
                assert (await whoami(server, "jane's"))["username"] == "jane"
                await server.clock.advance(120)
                assert await whoami(server, "jane's") == 401
                reviewed = await server.ask("POST", REVIEWS, {"spec": {"token": "jane's"}})
                assert reviewed.tree()["status"]["error"] == "gone"
                # Tokens that are known here are not asked about.
                asked = len(hooks.asked)
                assert (await whoami(server, "alice"))["username"] == "alice"
                assert len(hooks.asked) == asked

    async def test_without_an_answer_nobody_is_known(self, tmp_path: pathlib.Path) -> None:
        file = kubeconfigs.write(tmp_path, "https://127.0.0.1:1/tokens")
        who = settings.Authentication(webhook=webhook.Settings(kubeconfig=file))
        async with fakes.FakeServer(authentication=who) as server:
            asking = asyncio.ensure_future(whoami(server, "x"))
            while not asking.done():
                await asyncio.sleep(0)
                await server.clock.advance(0.5)
            assert await asking == 401


class TestHeaders:
    async def test_a_token_among_the_protocols_of_a_web_socket(self) -> None:
        async with fakes.FakeServer() as server:
            token = base64.urlsafe_b64encode(b"alice").rstrip(b"=").decode()
            protocol = f"base64url.bearer.authorization.k8s.io.{token}"
            info = await whoami(server, sec_websocket_protocol=f"v4.channel.k8s.io, {protocol}")
            assert info["username"] == "alice"
            # Without another protocol to speak, and twice, it is none.
            assert await whoami(server, sec_websocket_protocol=protocol) == 401
            assert await whoami(server, sec_websocket_protocol=f"a, {protocol}, {protocol}") == 401
            broken = "a, base64url.bearer.authorization.k8s.io.!"
            assert await whoami(server, sec_websocket_protocol=broken) == 401

    async def test_headers_of_a_server_in_front_are_nobodys_here(self) -> None:
        async with fakes.FakeServer() as server:
            assert (await whoami(server, "alice", x_remote_user="admin"))["username"] == "alice"
            assert await whoami(server, x_remote_user="admin", x_remote_group="system:masters") == 403

    async def test_without_credentials_only_where_it_is_said(self) -> None:
        async with fakes.FakeServer(authentication=settings.Authentication(anonymous_paths=("/livez",))) as server:
            assert (await server.ask("GET", "/livez", token="")).code == 200
            assert (await server.ask("GET", "/healthz", token="")).code == 401
            assert (await server.ask("GET", "/healthz", token="alice")).code == 200


class TestTokens:
    PATH = "/api/v1/namespaces/default/serviceaccounts/default/token"

    async def test_none_is_longer_than_it_may_be(self) -> None:
        async with fakes.FakeServer(authentication=settings.Authentication(longest_token=3600)) as server:
            await server.account()
            answer = await server.ask("POST", self.PATH, {"spec": {"expirationSeconds": 7200}})
            assert answer.tree()["spec"]["expirationSeconds"] == 3600
            assert "requested expiration of 7200 seconds shortened to 3600 seconds" in answer.headers["warning"]

    @pytest.mark.parametrize("extends", [True, False])
    async def test_those_of_pods_may_hold_longer(self, extends: bool) -> None:
        async with fakes.FakeServer(authentication=settings.Authentication(extends_tokens=extends)) as server:
            await server.account()
            pod = await server.client.create(fakes.pod("p", node="gone"))
            bound = {"kind": "Pod", "apiVersion": "v1", "name": "p", "uid": pod.metadata.uid}
            body = {"spec": {"expirationSeconds": 3607, "boundObjectRef": bound}}
            token = (await server.ask("POST", self.PATH, body)).tree()["status"]["token"]
            claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
            assert claims["kubernetes.io"].get("warnafter") == (claims["iat"] + 3607 if extends else None)
            # Of a node that is not there, the name is worth knowing.
            assert claims["kubernetes.io"]["node"] == {"name": "gone"}
            await server.clock.advance(3608)
            assert (await whoami(server, token) != 401) is extends

    @pytest.mark.parametrize(
        ("meta", "code"), [({"name": "other"}, 422), ({"namespace": "other"}, 422), ({"uid": "other"}, 409)]
    )
    async def test_of_another_than_the_url_says(self, meta: dict[str, str], code: int) -> None:
        async with fakes.FakeServer() as server:
            await server.account()
            assert (await server.ask("POST", self.PATH, {"metadata": meta, "spec": {}})).code == code

    async def test_a_review_for_others(self) -> None:
        async with fakes.FakeServer() as server:
            body = {"spec": {"token": "alice", "audiences": ["vault"]}}
            status = (await server.ask("POST", REVIEWS, body)).tree()["status"]
            assert status == {"user": {}, "error": "the token is not for the audiences wanted"}
