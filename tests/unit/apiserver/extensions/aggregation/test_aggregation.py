"""A group that another server serves, behind ours."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import pytest

from pybernetes.api import errors, scheme
from pybernetes.api.types import apiregistration_v1, core_v1, discovery_v1
from pybernetes.apiserver import request as requests
from pybernetes.apiserver.extensions.aggregation import passing
from tests.fakes import aggregated
from tests.fakes import apiserver as fakes

NAME = f"{aggregated.VERSION}.{aggregated.GROUP}"
FLUNDER = scheme.Resource(
    group=aggregated.GROUP,
    version=aggregated.VERSION,
    name="flunders",
    kind="Flunder",
    namespaced=True,
    verbs=tuple(aggregated.VERBS),
)


class Both(NamedTuple):
    ours: fakes.FakeServer
    theirs: aggregated.FakeAggregated


async def available(server: fakes.FakeServer, reason: str) -> apiregistration_v1.APIServiceCondition:
    """Wait until the condition has that reason."""
    async with server.client.watch(apiregistration_v1.APIService, initial_events=True) as stream:
        async with asyncio.timeout(20):
            while batch := await stream.next():
                for event in batch:
                    if event.type == "BOOKMARK" or event.object.metadata.name != NAME:
                        continue
                    for condition in event.object.status.conditions:
                        if condition.reason == reason:
                            found: apiregistration_v1.APIServiceCondition = condition
                            return found
    raise AssertionError(f"it never was {reason}")


@pytest.fixture
async def both() -> AsyncIterator[Both]:
    async with (
        aggregated.FakeAggregated() as theirs,
        fakes.FakeServer(proxy_client=aggregated.proxy_client()) as ours,
    ):
        yield Both(ours, theirs)


@pytest.fixture
async def joined(both: Both) -> Both:
    await both.theirs.register(both.ours)
    condition = await available(both.ours, "Passed")
    assert (condition.status, condition.message) == ("True", "all checks passed")
    return both


async def test_objects_of_another_server(joined: Both) -> None:
    ours, theirs = joined
    made = await ours.ask("POST", aggregated.FLUNDERS, {"metadata": {"name": "f"}, "spec": {"a": 1}})
    assert (made.code, made.tree()["spec"]) == (201, {"a": 1})
    assert (await ours.ask("GET", f"{aggregated.FLUNDERS}/f?x=y")).tree()["metadata"]["uid"] == "u1"
    assert theirs.asked[-1].query_string == "x=y"
    missing = await ours.ask("GET", f"{aggregated.FLUNDERS}/none")
    assert (missing.code, missing.message) == (404, 'flunders.wardle.example.com "none" not found')
    assert len((await ours.ask("GET", aggregated.FLUNDERS)).tree()["items"]) == 1
    wire = await ours.watch(aggregated.FLUNDERS + "?watch=true")
    await ours.ask("DELETE", f"{aggregated.FLUNDERS}/f")
    assert json.loads(await wire.chunk())["type"] == "DELETED"


async def test_components_in_our_process_work_on_them(joined: Both) -> None:
    client = joined.ours.client
    async with client.watch(FLUNDER, "default") as stream:
        flunder = {"metadata": {"name": "f"}, "spec": {"a": 1}}
        made = await client.raw(aggregated.FLUNDERS, method="POST", body=flunder)
        assert made["metadata"]["uid"] == "u1"
        assert [event.type for event in await stream.next()] == ["ADDED"]
    listed = await client.list(FLUNDER, "default")
    assert [one["metadata"]["name"] for one in listed.items] == ["f"]
    assert (await client.get(FLUNDER, "f", "default"))["spec"] == {"a": 1}
    with pytest.raises(errors.StatusError) as refused:
        await client.get(FLUNDER, "g", "default")
    assert refused.value.reason == "NotFound"
    await client.delete(FLUNDER, "f", "default")
    assert not joined.theirs.flunders


async def test_who_asks_is_told_and_cannot_be_feigned(joined: Both) -> None:
    ours, theirs = joined
    assert (await ours.ask("GET", aggregated.FLUNDERS, token="alice")).code == 403
    meta = {"metadata": {"name": "r"}}
    rule = {"apiGroups": [aggregated.GROUP], "resources": ["flunders"], "verbs": ["list"]}
    await ours.ask("POST", "/apis/rbac.authorization.k8s.io/v1/clusterroles", meta | {"rules": [rule]})
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "r"}
    subject = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "alice"}
    await ours.ask(
        "POST",
        "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
        meta | {"roleRef": reference, "subjects": [subject]},
    )
    answer = await ours.ask(
        "GET", aggregated.FLUNDERS, token="alice", x_remote_user="admin", x_remote_group="system:masters"
    )
    assert answer.code == 200
    seen = theirs.asked[-1].headers
    assert seen.getall("X-Remote-User") == ["alice"]
    assert seen.getall("X-Remote-Group") == ["system:authenticated"]
    assert "Authorization" not in seen
    assert seen["X-Forwarded-For"] == "127.0.0.1"


def test_identities_are_headers() -> None:
    user = requests.User("a", uid="u", groups=("g", "h"), extra=(("Example.com/Scope", ("x", "y")),))
    assert passing.identity(user) == [
        ("X-Remote-User", "a"),
        ("X-Remote-Uid", "u"),
        ("X-Remote-Group", "g"),
        ("X-Remote-Group", "h"),
        ("X-Remote-Extra-example.com%2Fscope", "x"),
        ("X-Remote-Extra-example.com%2Fscope", "y"),
    ]


async def test_discovery_shows_what_they_have(joined: Both) -> None:
    ours = joined.ours
    groups = (await ours.ask("GET", "/apis")).tree()["groups"]
    assert aggregated.GROUP in [group["name"] for group in groups]
    group = (await ours.ask("GET", f"/apis/{aggregated.GROUP}")).tree()
    assert group["preferredVersion"] == {"groupVersion": aggregated.GROUP_VERSION, "version": aggregated.VERSION}
    assert (await ours.ask("GET", aggregated.ROOT)).tree()["resources"] == aggregated.RESOURCES
    accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
    items = (await ours.ask("GET", "/apis", accept=accept)).tree()["items"]
    shown = next(item for item in items if item["metadata"]["name"] == aggregated.GROUP)
    assert shown["versions"][0]["freshness"] == "Current"
    assert shown["versions"][0]["resources"][0]["resource"] == "flunders"
    paths = (await ours.ask("GET", "/openapi/v3")).tree()["paths"]
    url = paths[aggregated.ROOT[1:]]["serverRelativeURL"]
    assert (await ours.ask("GET", url)).tree()["asked"] == "hash=H"


async def test_what_is_missing_is_said(both: Both) -> None:
    ours, theirs = both
    await ours.client.create(aggregated.service())
    condition = await available(ours, "ServiceNotFound")
    assert condition.message == 'service/api in "default" is not present'
    refused = await ours.ask("GET", aggregated.FLUNDERS)
    assert (refused.code, refused.message) == (503, "service unavailable")
    spec: dict[str, Any] = {"ports": [{"port": 80}], "clusterIP": "None"}
    meta = {"metadata": {"name": "api"}}
    await ours.ask("POST", "/api/v1/namespaces/default/services", meta | {"spec": spec})
    assert (
        await available(ours, "ServicePortError")
    ).message == 'service/api in "default" is not listening on port 443'
    patch = {"spec": {"ports": [{"port": 443}]}}
    await ours.ask(
        "PATCH", "/api/v1/namespaces/default/services/api", patch, content_type="application/merge-patch+json"
    )
    assert (await available(ours, "EndpointsNotFound")).message.startswith("cannot find endpointslices for service/api")
    await theirs.appear(ours)
    await available(ours, "Passed")
    assert (await ours.ask("GET", aggregated.FLUNDERS)).code == 200
    await ours.client.delete(discovery_v1.EndpointSlice, "api-1", "default")
    await available(ours, "EndpointsNotFound")
    await ours.client.delete(core_v1.Service, "api", "default")
    await available(ours, "ServiceNotFound")
    await ours.client.delete(apiregistration_v1.APIService, NAME)
    assert (await ours.ask("GET", aggregated.FLUNDERS)).code == 404
    assert aggregated.GROUP not in (await ours.ask("GET", "/apis")).body.decode()


async def test_a_server_that_is_ill_is_not_asked(joined: Both) -> None:
    ours, theirs = joined
    theirs.healthy = False
    await ours.clock.advance(31)
    condition = await available(ours, "FailedDiscoveryCheck")
    assert condition.message.startswith("bad status from https://127.0.0.1:")
    assert (await ours.ask("GET", aggregated.FLUNDERS)).code == 503
    accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
    items = (await ours.ask("GET", "/apis", accept=accept)).tree()["items"]
    shown = next(item for item in items if item["metadata"]["name"] == aggregated.GROUP)
    assert shown["versions"][0]["freshness"] == "Stale"
    theirs.healthy = True
    for _ in range(3):
        await ours.clock.advance(2)
    await available(ours, "Passed")


async def test_certificates_are_checked(both: Both) -> None:
    ours, theirs = both
    await theirs.register(ours)
    await available(ours, "Passed")
    patch = {"spec": {"caBundle": None}}
    where = f"/apis/apiregistration.k8s.io/v1/apiservices/{NAME}"
    await ours.ask("PATCH", where, patch, content_type="application/merge-patch+json")
    assert "x509" in (await available(ours, "FailedDiscoveryCheck")).message
    patch = {"spec": {"insecureSkipTLSVerify": True}}
    await ours.ask("PATCH", where, patch, content_type="application/merge-patch+json")
    await available(ours, "Passed")


async def test_one_that_hangs_holds_up_only_its_own(joined: Both) -> None:
    ours, theirs = joined
    theirs.held = asyncio.Event()
    hanging = asyncio.ensure_future(ours.ask("GET", aggregated.FLUNDERS))
    await theirs.holding.wait()
    assert (await ours.ask("GET", "/api/v1/namespaces/default/configmaps")).code == 200
    assert not hanging.done()
    theirs.held.set()
    assert (await hanging).code == 200


async def test_a_client_that_goes_ends_its_request(joined: Both) -> None:
    ours, theirs = joined
    theirs.held = asyncio.Event()
    wire = await ours.wire()
    wire.send("GET", aggregated.FLUNDERS)
    await theirs.holding.wait()
    await wire.close()
    theirs.held.set()
    assert (await ours.ask("GET", aggregated.FLUNDERS)).code == 200
