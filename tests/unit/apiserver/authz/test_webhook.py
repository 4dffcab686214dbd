"""Mode Webhook: what is sent, what the answers come to, how long they are kept, and what no answer comes to."""

from __future__ import annotations

import asyncio
import json
import pathlib
from typing import Any

import pytest

from pybernetes.apiserver import request as requests
from pybernetes.apiserver.authz import authorizer, webhook
from pybernetes.kits import chance as chances
from pybernetes.kits import clock as clocks
from tests.fakes import apiserver as fakes
from tests.fakes import kubeconfigs
from tests.fakes import webhooks as hooks_

MAPS = "/api/v1/namespaces/default/configmaps"
ALICE = requests.User("alice", "u1", ("dev",), (("scopes", ("a",)),))
READING = requests.Attributes("get", MAPS, "", "v1", "default", "configmaps", "", "x")


def answering(hooks: hooks_.FakeWebhooks, **status: Any) -> None:
    hooks.raw["/authorize"] = (200, json.dumps({"kind": "SubjectAccessReview", "status": status}).encode())


def settings(folder: pathlib.Path, hooks: hooks_.FakeWebhooks | None, **more: Any) -> webhook.Settings:
    port = hooks.port if hooks is not None else 1
    return webhook.Settings(kubeconfig=kubeconfigs.write(folder, f"https://127.0.0.1:{port}/authorize"), **more)


def make(clock: clocks.Clock, given: webhook.Settings) -> webhook.Webhook:
    return webhook.Webhook(given, clock=clock, chance=chances.Chance(1))


async def asked(asking: webhook.Webhook, clock: clocks.VirtualClock) -> authorizer.Decision:
    """The decision, with the pauses between attempts over at once."""
    waiting = asyncio.ensure_future(asking.ask(ALICE, READING))
    while not waiting.done():
        await asyncio.sleep(0)
        await clock.advance(0.5)
    return await waiting


@pytest.mark.parametrize(
    ("status", "decision"),
    [
        ({"allowed": True, "reason": "r"}, authorizer.Decision(True, "r")),
        ({"allowed": False, "reason": "r"}, authorizer.Decision(False, "r")),
        ({"allowed": False, "denied": True}, authorizer.Decision(False, denied=True)),
        (
            {"allowed": True, "denied": True},
            authorizer.Decision(
                False, denied=True, error="webhook subject access review returned both allow and deny response"
            ),
        ),
    ],
)
async def test_answers(tmp_path: pathlib.Path, status: dict[str, Any], decision: authorizer.Decision) -> None:
    clock = clocks.VirtualClock()
    async with hooks_.FakeWebhooks() as hooks:
        answering(hooks, **status)
        asking = make(clock, settings(tmp_path, hooks))
        assert asking.decide(ALICE, READING) is None
        assert await asking.ask(ALICE, READING) == decision
        # From now on it is known, for a while.
        assert asking.decide(ALICE, READING) == decision
        await clock.advance(300.0 if status["allowed"] else 30.0)
        assert asking.decide(ALICE, READING) is None
        await asking.close()
    ((_, review),) = hooks.asked
    assert review == {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "metadata": {},
        "spec": {
            "user": "alice",
            "uid": "u1",
            "groups": ["dev"],
            "extra": {"scopes": ["a"]},
            "resourceAttributes": {
                "namespace": "default",
                "verb": "get",
                "version": "v1",
                "resource": "configmaps",
                "name": "x",
            },
        },
        "status": {"allowed": False},
    }


def test_selectors_are_sent_as_requirements() -> None:
    narrowed = requests.narrowing("spec.nodeName=n1,status.phase!=Failed", "a in (x,y),!b,c>1")
    resource = webhook.spec(ALICE, READING._replace(verb="list", selectors=narrowed))["resourceAttributes"]
    assert resource["fieldSelector"]["requirements"] == [
        {"key": "spec.nodeName", "operator": "In", "values": ["n1"]},
        {"key": "status.phase", "operator": "NotIn", "values": ["Failed"]},
    ]
    # What the API has no operator for is left out.
    assert resource["labelSelector"]["requirements"] == [
        {"key": "a", "operator": "In", "values": ["x", "y"]},
        {"key": "b", "operator": "DoesNotExist", "values": []},
    ]


async def test_the_old_version_has_another_name_for_groups(tmp_path: pathlib.Path) -> None:
    async with hooks_.FakeWebhooks() as hooks:
        answering(hooks, allowed=True)
        asking = make(clocks.VirtualClock(), settings(tmp_path, hooks, version="v1beta1"))
        await asking.ask(ALICE, requests.Attributes("get", "/metrics"))
        await asking.close()
    ((_, review),) = hooks.asked
    assert review["apiVersion"] == "authorization.k8s.io/v1beta1"
    assert review["spec"]["group"] == ["dev"]
    assert review["spec"]["nonResourceAttributes"] == {"path": "/metrics", "verb": "get"}


@pytest.mark.parametrize("denies", [False, True])
async def test_no_answer(tmp_path: pathlib.Path, denies: bool) -> None:
    clock = clocks.VirtualClock()
    asking = make(clock, settings(tmp_path, None, denies=denies))
    decision = await asked(asking, clock)
    assert (decision.allowed, decision.denied) == (False, denies)
    assert "127.0.0.1:1" in decision.error
    # A failure is not kept.
    assert asking.decide(ALICE, READING) is None
    await asking.close()


async def test_one_that_does_not_answer_holds_nobody_for_ever(tmp_path: pathlib.Path) -> None:
    clock = clocks.VirtualClock()
    async with hooks_.FakeWebhooks() as hooks:
        answering(hooks, allowed=True)
        hooks.held["/authorize"] = asyncio.Event()
        asking = make(clock, settings(tmp_path, hooks, timeout=3.0))
        both = [asyncio.ensure_future(asking.ask(ALICE, READING)) for _ in range(2)]
        await hooks.arrived.wait()
        await clock.advance(3.0)
        for waiting in both:
            assert (await waiting).error == "context deadline exceeded"
        assert len(hooks.asked) == 1
        await asking.close()


async def test_conditions_say_what_it_is_asked_about(tmp_path: pathlib.Path) -> None:
    conditions = (
        "request.user != 'bob'",
        "has(request.resourceAttributes)",
        "request.resourceAttributes.namespace == 'default'",
    )
    async with hooks_.FakeWebhooks() as hooks:
        asking = make(clocks.VirtualClock(), settings(tmp_path, hooks, conditions=conditions))
        assert asking.decide(ALICE, READING) is None
        assert asking.decide(requests.User("bob"), READING) == authorizer.NO_OPINION
        # One that is false decides, although another cannot be told.
        assert asking.decide(ALICE, requests.Attributes("get", "/metrics")) == authorizer.NO_OPINION
        await asking.close()


async def test_conditions_that_fail(tmp_path: pathlib.Path) -> None:
    given = settings(tmp_path, None, conditions=("request.extra['none'][0] == 'x'",), denies=True)
    decision = make(clocks.VirtualClock(), given).decide(ALICE, READING)
    assert decision is not None
    assert decision.denied
    assert "resulted in error: no such key: none" in decision.error


class TestServer:
    async def test_it_decides(self, tmp_path: pathlib.Path) -> None:
        async with (
            hooks_.FakeWebhooks() as hooks,
            fakes.FakeServer(authorization=(settings(tmp_path, hooks), "RBAC")) as server,
        ):
            answering(hooks, allowed=True)
            assert (await server.ask("GET", MAPS, token="alice")).code == 200
            answering(hooks, allowed=False, denied=True, reason="no way")
            answer = await server.ask("GET", "/api/v1/secrets", token="alice")
            assert answer.code == 403
            assert answer.message.endswith("at the cluster scope: no way")
            # system:masters are not asked about.
            asked = len(hooks.asked)
            assert (await server.ask("GET", "/api/v1/secrets")).code == 200
            assert len(hooks.asked) == asked

    async def test_a_denial_ends_the_matter(self, tmp_path: pathlib.Path) -> None:
        async with (
            hooks_.FakeWebhooks() as hooks,
            fakes.FakeServer(authorization=(settings(tmp_path, hooks), "AlwaysAllow")) as server,
        ):
            answering(hooks, allowed=False, denied=True)
            assert (await server.ask("GET", MAPS, token="alice")).code == 403
            path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
            body = {"spec": {"user": "bob", "nonResourceAttributes": {"verb": "get", "path": "/x"}}}
            assert (await server.ask("POST", path, body)).tree()["status"] == {"allowed": False, "denied": True}
            answering(hooks, allowed=False)
            assert (await server.ask("GET", "/api/v1/secrets", token="alice")).code == 200

    async def test_nobody_knows_without_it(self, tmp_path: pathlib.Path) -> None:
        async with fakes.FakeServer(authorization=(settings(tmp_path, None), "RBAC")) as server:
            asking = asyncio.ensure_future(server.ask("GET", MAPS, token="alice"))
            while not asking.done():
                await asyncio.sleep(0)
                await server.clock.advance(0.5)
            answer = await asking
            assert answer.code == 500
            assert answer.message.startswith(f'Internal Server Error: "{MAPS}": ')

    async def test_rules_are_incomplete(self, tmp_path: pathlib.Path) -> None:
        async with (
            hooks_.FakeWebhooks() as hooks,
            fakes.FakeServer(authorization=(settings(tmp_path, hooks), "RBAC")) as server,
        ):
            answering(hooks, allowed=True)
            path = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
            status = (await server.ask("POST", path, {"spec": {"namespace": "default"}}, token="alice")).tree()[
                "status"
            ]
            assert status["incomplete"] is True
            assert status["evaluationError"] == "webhook authorizer does not support user rule resolution"

    async def test_a_file_that_names_nobody_is_told_of_at_the_start(self, tmp_path: pathlib.Path) -> None:
        (tmp_path / "config").write_text("kind: Config")
        server = fakes.FakeServer(authorization=(webhook.Settings(kubeconfig=tmp_path / "config"), "RBAC"))
        with pytest.raises(ValueError, match="says nowhere which of its contexts counts"):
            await server.api.start()
        await server.api.close()
