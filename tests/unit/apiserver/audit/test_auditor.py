"""What is noted of requests to a whole API server."""

from __future__ import annotations

from typing import Any

import pytest

from pybernetes.api.types import core_v1
from pybernetes.apiserver.audit import policy
from tests.fakes import apiserver as fakes

MAPS = "/api/v1/namespaces/default/configmaps"


def rules(*listed: policy.Rule, **fields: Any) -> policy.Policy:
    return policy.Policy(rules=list(listed), **fields)


def seen(server: fakes.FakeServer, **wanted: Any) -> list[dict[str, Any]]:
    """What was noted of other requests than the server's own."""
    events = [one for one in server.audited.events if one["user"].get("username") != "system:apiserver"]
    return [one for one in events if all(one.get(name) == value for name, value in wanted.items())]


async def test_metadata() -> None:
    async with fakes.FakeServer(audit_policy=rules(policy.Rule(level="Metadata"))) as server:
        answer = await server.ask(
            "POST", MAPS + "?fieldManager=m", {"metadata": {"name": "c"}}, user_agent="me", x_forwarded_for="10.0.0.9"
        )
        received, complete = seen(server)
        assert answer.headers["audit-id"] == received["auditID"] == complete["auditID"]
        assert received["stage"] == "RequestReceived"
        assert "responseStatus" not in received
        del complete["requestReceivedTimestamp"], complete["stageTimestamp"], complete["auditID"]
        assert complete == {
            "kind": "Event",
            "apiVersion": "audit.k8s.io/v1",
            "level": "Metadata",
            "stage": "ResponseComplete",
            "requestURI": MAPS + "?fieldManager=m",
            "verb": "create",
            "user": {"username": "admin", "groups": ["system:masters", "system:authenticated"]},
            "sourceIPs": ["10.0.0.9", "127.0.0.1"],
            "userAgent": "me",
            "objectRef": {"resource": "configmaps", "namespace": "default", "apiVersion": "v1"},
            "responseStatus": {"metadata": {}, "code": 201},
            "annotations": {"authorization.k8s.io/decision": "allow", "authorization.k8s.io/reason": ""},
        }


async def test_objects() -> None:
    named = policy.Resources(group="", resources=["configmaps"])
    everything = rules(
        policy.Rule(level="RequestResponse", resources=[named], omitStages=["RequestReceived"]), omitManagedFields=True
    )
    async with fakes.FakeServer(audit_policy=everything) as server:
        await server.ask("POST", MAPS, b"metadata: {name: c}\ndata: {a: b}", content_type="application/yaml")
        await server.ask("PATCH", MAPS + "/c", {"data": {"a": "c"}}, content_type="application/merge-patch+json")
        await server.ask("GET", MAPS)
        created, patched, listed = seen(server)
        assert created["requestObject"] == {"metadata": {"name": "c"}, "data": {"a": "b"}}
        assert created["responseObject"]["data"] == {"a": "b"}
        assert created["responseObject"]["metadata"]["uid"]
        assert "managedFields" not in created["responseObject"]["metadata"]
        assert patched["requestObject"] == {"data": {"a": "c"}}
        assert "managedFields" not in patched["responseObject"]["metadata"]
        assert [one["data"] for one in listed["responseObject"]["items"]] == [{"a": "c"}]
        assert "requestObject" not in listed


async def test_bodies_that_cannot_be_read_are_left_out() -> None:
    async with fakes.FakeServer(audit_policy=rules(policy.Rule(level="Request"))) as server:
        for body, kind in ((b"{", "application/json"), (b"a: [", "application/yaml"), (b"\xff", "text/plain")):
            assert (await server.ask("POST", MAPS, body, content_type=kind)).code >= 400
        assert all("requestObject" not in one for one in seen(server))


async def test_refusals() -> None:
    async with fakes.FakeServer(audit_policy=rules(policy.Rule(level="Metadata"))) as server:
        await server.ask("GET", MAPS, token="alice")
        refused = seen(server, stage="ResponseComplete")[-1]
        assert refused["responseStatus"]["code"] == 403
        assert refused["responseStatus"]["reason"] == "Forbidden"
        assert refused["annotations"]["authorization.k8s.io/decision"] == "forbid"
        await server.ask("GET", MAPS, token="wrong")
        unknown = seen(server)[-1]
        assert (unknown["stage"], unknown["user"]) == ("ResponseStarted", {})
        assert unknown["responseStatus"]["message"] == "Authentication failed, attempted: bearer"
        server.store.broken = True
        await server.ask("POST", MAPS, {"metadata": {"name": "c"}})
        assert seen(server)[-1]["responseStatus"]["code"] == 500


async def test_who_acts_as_somebody_else() -> None:
    async with fakes.FakeServer(audit_policy=rules(policy.Rule(level="Metadata"))) as server:
        await server.ask("GET", MAPS, impersonate_user="bob")
        complete = seen(server, stage="ResponseComplete")[-1]
        assert complete["user"]["username"] == "admin"
        assert complete["impersonatedUser"] == {"username": "bob", "groups": ["system:authenticated"]}
        assert complete["authenticationMetadata"] == {"impersonationConstraint": "impersonate:user-info"}


async def test_watches_start_and_complete() -> None:
    async with fakes.FakeServer(audit_policy=rules(policy.Rule(level="Metadata"))) as server:
        wire = await server.watch(MAPS + "?watch=1&timeoutSeconds=5")
        assert [one["stage"] for one in seen(server)] == ["RequestReceived", "ResponseStarted"]
        await server.clock.advance(6)
        while await wire.chunk():
            pass
        assert [one["stage"] for one in seen(server)][-1] == "ResponseComplete"
        async with server.client.watch(core_v1.ConfigMap, "default"):
            assert seen(server)[-1]["stage"] == "ResponseStarted"
        assert seen(server)[-1]["stage"] == "ResponseComplete"


async def test_a_client_may_name_the_audit() -> None:
    async with fakes.FakeServer(audit_policy=rules(policy.Rule(level="None"))) as server:
        answer = await server.ask("GET", MAPS, audit_id="mine")
        assert answer.headers["audit-id"] == "mine"
        assert not seen(server)


@pytest.mark.parametrize("level", ["None", "Metadata", "Request", "RequestResponse"])
async def test_levels_are_counted(level: str) -> None:
    async with fakes.FakeServer(audit_policy=rules(policy.Rule(level=level))) as server:
        await server.ask("GET", MAPS)
        metrics = (await server.ask("GET", "/metrics")).body.decode()
        assert (f'apiserver_audit_level_total{{level="{level}"}}' in metrics) == (level != "None")
