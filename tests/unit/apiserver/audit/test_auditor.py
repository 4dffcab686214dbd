"""What is noted of requests to a whole API server."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from pybernetes.api import errors
from pybernetes.api.types import core_v1
from pybernetes.apiserver import audit, results
from pybernetes.apiserver import request as requests
from pybernetes.apiserver.audit import policy
from pybernetes.kits.chance import Chance
from pybernetes.kits.clock import VirtualClock, settle
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
        assert received["objectRef"] == {"resource": "configmaps", "namespace": "default", "apiVersion": "v1"}
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
            "objectRef": {"resource": "configmaps", "namespace": "default", "name": "c", "apiVersion": "v1"},
            "responseStatus": {"metadata": {}, "code": 201},
            "annotations": {"authorization.k8s.io/decision": "allow", "authorization.k8s.io/reason": ""},
        }


async def test_a_body_says_what_it_is_about() -> None:
    async with fakes.FakeServer(audit_policy=rules(policy.Rule(level="Metadata"))) as server:
        made = await server.client.create(fakes.config_map("c"))
        await server.client.update(made)
        replaced = seen(server, stage="ResponseComplete", verb="update")[-1]
        assert replaced["objectRef"] == {
            "resource": "configmaps",
            "namespace": "default",
            "name": "c",
            "uid": made.metadata.uid,
            "apiVersion": "v1",
            "resourceVersion": made.metadata.resourceVersion,
        }
        await server.ask("POST", MAPS, {"metadata": {"generateName": "c-"}})
        assert "name" not in seen(server)[-1]["objectRef"]


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
        assert unknown["responseStatus"] == {
            "metadata": {},
            "status": "Failure",
            "message": "Unauthorized",
            "reason": "Unauthorized",
            "code": 401,
        }
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


async def test_a_client_that_goes_is_noted_too() -> None:
    async with fakes.FakeServer(audit_policy=rules(policy.Rule(level="Metadata"))) as server:
        server.store.before_put = lambda key: asyncio.Event().wait()
        creating = asyncio.ensure_future(server.client.create(fakes.config_map("c")))
        await settle()
        assert [one["stage"] for one in seen(server)] == ["RequestReceived"]
        creating.cancel()
        await asyncio.wait([creating])
        assert seen(server, stage="ResponseComplete")[-1]["responseStatus"] == {
            "metadata": {},
            "status": "Success",
            "message": "Connection closed early",
            "code": 200,
        }


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
        # The server asks itself, too.
        (asked,) = (line for line in metrics.splitlines() if line.startswith("apiserver_audit_level_total"))
        (noted,) = (line for line in metrics.splitlines() if line.startswith("apiserver_audit_event_total"))
        assert asked.startswith(f'apiserver_audit_level_total{{level="{level}"}} ')
        assert (noted == "apiserver_audit_event_total 0") == (level == "None")


async def test_the_same_again_by_others_and_from_elsewhere() -> None:
    """What lines have in common is kept; what they have not is not."""
    async with fakes.FakeServer(audit_policy=rules(policy.Rule(level="Metadata"))) as server:
        path = MAPS + "/c"
        for token, agent, forwarded, name in (
            ("admin", "a", "", ""),
            ("admin", "b", "", ""),
            ("admin", "b", "10.0.0.1", ""),
            ("admin", "b", "10.0.0.2", ""),
            ("alice", "b", "", "mine"),
            ("admin", "a", "", ""),
        ):
            extra = {"x_forwarded_for": forwarded} if forwarded else {}
            extra |= {"audit_id": name} if name else {}
            await server.ask("GET", path + ("?pretty=1" if name else ""), token=token, user_agent=agent, **extra)
        noted = seen(server, stage="ResponseComplete")
        told = [(one["user"]["username"], one["userAgent"], one["sourceIPs"][:-1]) for one in noted]
        assert told == [
            ("admin", "a", []),
            ("admin", "b", []),
            ("admin", "b", ["10.0.0.1"]),
            ("admin", "b", ["10.0.0.2"]),
            ("alice", "b", []),
            ("admin", "a", []),
        ]
        assert [one["responseStatus"]["code"] for one in noted] == [404, 404, 404, 404, 403, 404]
        assert noted[4]["auditID"] == "mine"
        assert [one["requestURI"] for one in noted[3:5]] == [path, path + "?pretty=1"]
        assert len({one["auditID"] for one in noted}) == len(noted)
        await server.ask("POST", MAPS, {"metadata": {"name": "c"}})
        await server.ask("GET", path, user_agent="a")
        assert seen(server)[-1]["responseStatus"] == {"metadata": {}, "code": 200}


def auditor(*backends: fakes.Kept, level: str = "Metadata") -> audit.Auditor:
    return audit.Auditor(rules(policy.Rule(level=level)), backends, clock=VirtualClock(), chance=Chance(1))


def request(body: bytes = b"") -> requests.Request:
    return requests.Request(
        method="POST", path=MAPS, body=body, attributes=requests.parse("POST", MAPS, False), user=fakes.ADMIN
    )


def counts(of: audit.Auditor) -> dict[str, Any]:
    return {family.name: [value for _, value in family.samples] for family in of.families()}


def test_who_must_be_noted_and_cannot_be_is_refused() -> None:
    class Full(fakes.Kept):
        def settle(self) -> bool:
            return False

    kept = Full()
    lenient = auditor(kept)
    assert lenient.begin(request()) is not None
    kept.strict = True
    strict = auditor(kept)
    with pytest.raises(errors.StatusError, match=f'Internal Server Error: "{MAPS}": failed to store audit event'):
        strict.begin(request())
    assert counts(strict)["apiserver_audit_requests_rejected_total"] == [1]
    assert counts(lenient)["apiserver_audit_requests_rejected_total"] == [0]


def test_each_backend_has_its_own_measure(caplog: pytest.LogCaptureFixture) -> None:
    roomy, narrow, tiny = fakes.Kept(), fakes.Kept(), fakes.Kept()
    narrow.largest, tiny.largest = 1000, 100
    of = auditor(roomy, narrow, tiny, level="Request")
    asked = request(b'{"metadata":{"name":"%b"}}' % (b"x" * 1000))
    entry = of.begin(asked)
    assert entry is not None
    of.answered(asked, entry, results.Document(b""))
    assert [len(one.events) for one in (roomy, narrow, tiny)] == [2, 2, 0]
    assert "requestObject" in roomy.events[1]
    assert "annotations" not in roomy.events[1]
    assert "requestObject" not in narrow.events[1]
    assert narrow.events[1]["annotations"] == {"audit.k8s.io/truncated": "true"}
    assert counts(of)["apiserver_audit_error_total"] == [2]
    assert "too large even after truncating" in caplog.text
