"""Extenders over HTTP: what is sent, what their answers do, and what happens when they fail."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from pybernetes.api.types import core_v1
from pybernetes.kits.clock import SystemClock
from pybernetes.scheduler import configuration, extenders, preemption
from tests.unit.scheduler.board import node, pod

NODES = {name: node(name) for name in ("n1", "n2", "n3")}


class Service:
    """Answers what it is told to, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Any]] = []
        self.answers: dict[str, Any] = {}
        self.url = ""

    async def handle(self, request: web.Request) -> web.Response:
        verb = request.match_info["verb"]
        self.asked.append((verb, await request.json()))
        answer = self.answers[verb]
        if isinstance(answer, int):
            return web.Response(status=answer)
        return web.Response(text=json.dumps(answer))


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    made = Service()
    app = web.Application()
    app.router.add_post("/ext/{verb}", made.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    made.url = f"http://127.0.0.1:{port}/ext/"
    yield made
    await runner.cleanup()


class Asking:
    """An extender of the service; closed at the end."""

    def __init__(self, service: Service, **given: Any) -> None:
        verbs = {"filterVerb": "filter", "prioritizeVerb": "score", "bindVerb": "bind", "preemptVerb": "preempt"}
        asked = configuration.Extender(urlPrefix=service.url, weight=2, **verbs, **given)
        self.extender = extenders.Extender(asked, SystemClock())

    async def __aenter__(self) -> extenders.Extender:
        return self.extender

    async def __aexit__(self, *_: object) -> None:
        await self.extender.close()


async def test_filters_by_name_or_by_whole_nodes(service: Service) -> None:
    service.answers["filter"] = {"NodeNames": ["n2"], "FailedNodes": {"n1": "too hot"}}
    async with Asking(service, nodeCacheCapable=True) as extender:
        told = await extender.filter(pod(), NODES)
    assert told == (["n2"], {"n1": "too hot"}, {})
    verb, args = service.asked[0]
    assert (verb, args["NodeNames"], args["Nodes"], args["Pod"]["metadata"]["name"]) == (
        "filter",
        ["n1", "n2", "n3"],
        None,
        "p",
    )
    service.answers["filter"] = {"nodes": {"items": [{"metadata": {"name": "n3"}}]}}
    async with Asking(service) as extender:
        assert (await extender.filter(pod(), NODES)).nodes == ["n3"]
    assert [item["metadata"]["name"] for item in service.asked[1][1]["Nodes"]["items"]] == ["n1", "n2", "n3"]


async def test_scores_weigh_ten_times_their_weight(service: Service) -> None:
    service.answers["score"] = [{"Host": "n1", "Score": 7}, {"host": "n2", "score": 0}]
    async with Asking(service) as extender:
        assert await extender.prioritize(pod(), NODES) == {"n1": 140, "n2": 0}


async def test_binds(service: Service) -> None:
    service.answers["bind"] = {}
    async with Asking(service) as extender:
        await extender.bind(pod(), "n1")
        assert service.asked == [("bind", {"PodName": "p", "PodNamespace": "default", "PodUID": "uid-p", "Node": "n1"})]
        service.answers["bind"] = {"Error": "no"}
        with pytest.raises(extenders.ExtenderError, match=r"^no$"):
            await extender.bind(pod(), "n1")


async def test_has_a_say_about_victims(service: Service) -> None:
    a, b = pod(name="a"), pod(name="b")
    candidates = [preemption.Candidate("n1", (a, b), 1), preemption.Candidate("n2", (b,), 0)]
    service.answers["preempt"] = {"NodeNameToMetaVictims": {"n1": {"Pods": [{"UID": "uid-a"}], "NumPDBViolations": 1}}}
    async with Asking(service, nodeCacheCapable=True) as extender:
        assert await extender.victims(pod(), candidates) == [preemption.Candidate("n1", (a,), 1)]
        sent = service.asked[0][1]["NodeNameToMetaVictims"]
        assert sent["n1"] == {"Pods": [{"UID": "uid-a"}, {"UID": "uid-b"}], "NumPDBViolations": 1}
        service.answers["preempt"] = {"NodeNameToMetaVictims": {"n1": {"Pods": [{"UID": "x"}]}}}
        with pytest.raises(extenders.ExtenderError, match=r"claims to preempt pod \(UID: x\) on node: n1"):
            await extender.victims(pod(), candidates)
        service.answers["preempt"] = {"NodeNameToMetaVictims": {"n1": {"Pods": []}}}
        with pytest.raises(extenders.ExtenderError, match='expected at least one victim pod on node "n1"'):
            await extender.victims(pod(), candidates)


async def test_one_after_the_other_and_ignorable_ones_may_fail(service: Service) -> None:
    service.answers["filter"] = 500
    async with Asking(service, ignorable=True) as ignorable, Asking(service) as strict:
        told = await extenders.agree([ignorable], pod(), dict(NODES))
        assert told.nodes == ["n1", "n2", "n3"]
        with pytest.raises(extenders.ExtenderError, match=r"failed filter with extender at URL .*/filter, code 500"):
            await extenders.agree([ignorable, strict], pod(), dict(NODES))


async def test_too_slow_an_answer_is_none(service: Service) -> None:
    class Late(SystemClock):
        def timeout(self, seconds: float | None) -> Any:
            return super().timeout(0)

    given = configuration.Extender(urlPrefix=service.url, filterVerb="filter", httpTimeout="50ms")
    extender = extenders.Extender(given, Late())
    with pytest.raises(extenders.ExtenderError, match="context deadline exceeded"):
        await extender.filter(pod(), NODES)
    await extender.close()


def test_is_asked_only_about_pods_with_its_resources() -> None:
    given = configuration.Extender(
        urlPrefix="http://a", managedResources=[configuration.ManagedResource(name="example.com/gpu")]
    )
    extender = extenders.Extender(given, SystemClock())
    assert extender.wants(pod(more={"example.com/gpu": "1"}))
    assert not extender.wants(pod("1"))
    limited = pod()
    limited.spec.containers[0].resources = core_v1.ResourceRequirements(
        limits={"example.com/gpu": pod(more={"a": "1"}).spec.containers[0].resources.requests["a"]}
    )
    assert extender.wants(limited)
