"""/metrics: upstream's names and labels, and a text that every scraper can read."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest

from pybernetes.kits.clock import settle
from tests.fakes import apiserver as fakes
from tests.fakes import scrape

MAPS = "/api/v1/namespaces/default/configmaps"
Found = dict[tuple[str, tuple[tuple[str, str], ...]], float]


@pytest.fixture
async def server() -> AsyncIterator[fakes.FakeServer]:
    async with fakes.FakeServer() as running:
        yield running


async def scraped(server: fakes.FakeServer) -> Found:
    return scrape.parse((await server.ask("GET", "/metrics")).body.decode())


def of(found: Found, name: str, **labels: str) -> float:
    """The sum over what has these labels."""
    wanted = set(labels.items())
    return sum(value for (sample, has), value in found.items() if sample == name and wanted <= set(has))


def manifest(name: str) -> bytes:
    return json.dumps({"metadata": {"name": name}}).encode()


async def test_requests_by_what_they_are_about(server: fakes.FakeServer) -> None:
    before = await scraped(server)
    await server.ask("POST", MAPS, manifest("a"))
    await server.ask("POST", MAPS + "?dryRun=All", manifest("b"))
    await server.ask("GET", MAPS + "/a")
    await server.ask("GET", MAPS + "/none")
    await server.ask("GET", MAPS)
    await server.ask("GET", "/api/v1/configmaps")
    found = await scraped(server)
    about = {"resource": "configmaps", "group": "", "version": "v1", "component": "apiserver"}
    total, timed = "apiserver_request_total", "apiserver_request_duration_seconds_count"
    created = {"verb": "POST", "scope": "resource", "code": "201", "dry_run": "", **about}
    assert of(found, total, **created) - of(before, total, **created) == 1
    assert of(found, total, verb="POST", dry_run="All", **about) == 1
    missing = {"verb": "GET", "scope": "resource", "code": "404", **about}
    assert of(found, total, **missing) - of(before, total, **missing) == 1
    read = {"verb": "GET", "scope": "resource", **about}
    assert of(found, timed, **read) - of(before, timed, **read) == 2
    assert of(found, total, verb="LIST", scope="namespace", **about) == 1
    assert of(found, total, verb="LIST", scope="cluster", **about) == 1
    assert of(found, "apiserver_admission_step_admission_duration_seconds_count", type="admit", operation="CREATE") >= 2
    assert of(found, "etcd_request_duration_seconds_count", operation="create", resource="configmaps") >= 1
    assert of(found, "apiserver_storage_objects", resource="configmaps") >= 1


async def test_paths_that_clients_make_up_are_one(server: fakes.FakeServer) -> None:
    await server.ask("GET", "/apis/made.up/v1/things")
    await scraped(server)
    before = len(await scraped(server))
    for number in range(50):
        await server.ask("GET", f"/apis/made{number}.up/v1/things")
    assert len(await scraped(server)) - before < 10


async def test_watches_last(server: fakes.FakeServer) -> None:
    wire = await server.watch(MAPS + "?watch=1")
    await server.ask("POST", MAPS, manifest("a"))
    await wire.event()
    found = await scraped(server)
    watching = {"verb": "WATCH", "resource": "configmaps"}
    assert of(found, "apiserver_longrunning_requests", **watching) == 1
    assert of(found, "apiserver_request_duration_seconds_count", **watching) == 0
    assert of(found, "apiserver_watch_events_total", resource="configmaps") >= 1
    await wire.close()
    await settle()
    found = await scraped(server)
    assert of(found, "apiserver_longrunning_requests", **watching) == 0
    assert of(found, "apiserver_request_duration_seconds_count", **watching) == 1


async def test_who_comes_and_what_runs(server: fakes.FakeServer) -> None:
    await server.ask("GET", MAPS, token="nobody knows")
    found = await scraped(server)
    assert of(found, "authentication_attempts", result="failure") == 1
    assert of(found, "kubernetes_build_info", major="1", minor="36") == 1
    # The one that asks.
    assert of(found, "apiserver_current_inflight_requests", request_kind="readOnly") == 1
    assert of(found, "apiserver_current_inflight_requests", request_kind="mutating") == 0
    assert of(found, "process_start_time_seconds") > 0


async def test_what_flow_control_sees_of_small_requests(server: fakes.FakeServer) -> None:
    """They are timed where they are counted, and put among the bounds of both."""
    before = await scraped(server)
    for _ in range(3):
        await server.ask("GET", MAPS + "/none")
    found = await scraped(server)
    executed = "apiserver_flowcontrol_request_execution_seconds"
    for metric, labels in (
        (executed, {"priority_level": "exempt", "type": "regular"}),
        ("apiserver_request_duration_seconds", {"verb": "GET", "resource": "configmaps"}),
        ("apiserver_request_sli_duration_seconds", {"verb": "GET", "resource": "configmaps"}),
    ):
        assert of(found, f"{metric}_count", **labels) - of(before, f"{metric}_count", **labels) >= 3, metric
        assert of(found, f"{metric}_bucket", le="+Inf", **labels) == of(found, f"{metric}_count", **labels)
    assert of(found, f"{executed}_bucket", le="0.02", priority_level="exempt") >= 3
    assert of(found, f"{executed}_bucket", le="0.025", priority_level="exempt") == 0


async def test_sizes_of_lists(server: fakes.FakeServer) -> None:
    await server.ask("POST", MAPS, manifest("a"))
    answer = await server.ask("GET", MAPS)
    found = await scraped(server)
    lists = {"verb": "LIST", "resource": "configmaps", "scope": "namespace"}
    assert of(found, "apiserver_response_sizes_count", **lists) == 1
    assert of(found, "apiserver_response_sizes_sum", **lists) == len(answer.body)
