"""Get, list and watch: what they show, as of when."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from pybernetes.api import codecs, errors
from pybernetes.api.types import core_v1
from pybernetes.kits.clock import settle
from tests.fakes import apiserver as fakes

MAPS = "/api/v1/namespaces/default/configmaps"


@pytest.fixture
async def server() -> AsyncIterator[fakes.FakeServer]:
    async with fakes.FakeServer(compaction_interval=300.0) as running:
        yield running


async def names(server: fakes.FakeServer, query: str = "") -> list[str]:
    answer = await server.ask("GET", f"{MAPS}?{query}")
    assert answer.code == 200, answer.message
    return [item["metadata"]["name"] for item in answer.tree()["items"]]


async def make(server: fakes.FakeServer, *wanted: str, **data: str) -> list[core_v1.ConfigMap]:
    return [await server.client.create(fakes.config_map(name, **data)) for name in wanted]


async def patient(server: fakes.FakeServer, path: str) -> fakes.Answer:
    """The answer to a GET that takes its time."""
    asking = asyncio.ensure_future(server.ask("GET", path))
    while not asking.done():
        await settle()
        await server.clock.advance(1.0)
    return await asking


async def change(server: fakes.FakeServer, name: str, **data: str) -> core_v1.ConfigMap:
    return await server.client.patch(core_v1.ConfigMap, name, "default", {"data": data})


class TestList:
    async def test_is_in_key_order_with_its_revision(self, server: fakes.FakeServer) -> None:
        await make(server, "b", "a", "c")
        tree = (await server.ask("GET", MAPS)).tree()
        assert tree["kind"] == "ConfigMapList"
        assert [item["metadata"]["name"] for item in tree["items"]] == ["a", "b", "c"]
        assert tree["metadata"] == {"resourceVersion": str(server.store.revision)}

    async def test_one_namespace_or_all(self, server: fakes.FakeServer) -> None:
        await make(server, "a")
        await server.client.create(fakes.config_map("z", "kube-system"))
        assert await names(server) == ["a"]
        tracking = "kube-apiserver-legacy-service-account-token-tracking"
        everywhere = (await server.ask("GET", "/api/v1/configmaps")).tree()
        assert [item["metadata"]["name"] for item in everywhere["items"]] == ["a", tracking, "z"]

    async def test_a_namespace_whose_name_begins_another(self, server: fakes.FakeServer) -> None:
        for namespace in ("team", "team-a"):
            await server.client.create(core_v1.Namespace(metadata=_named(namespace)))
        await server.client.create(fakes.config_map("x", "team"))
        await server.client.create(fakes.config_map("y", "team-a"))
        listed = (await server.ask("GET", "/api/v1/namespaces/team/configmaps")).tree()
        assert [item["metadata"]["name"] for item in listed["items"]] == ["x"]

    async def test_at_any_and_at_least_a_revision(self, server: fakes.FakeServer) -> None:
        first, _ = await make(server, "a", "b")
        revision = first.metadata.resourceVersion
        assert await names(server, "resourceVersion=0") == ["a", "b"]
        assert await names(server, f"resourceVersion={revision}") == ["a", "b"]
        assert await names(server, f"resourceVersion={revision}&resourceVersionMatch=NotOlderThan") == ["a", "b"]

    async def test_at_exactly_a_revision(self, server: fakes.FakeServer) -> None:
        first, _ = await make(server, "a", "b")
        await change(server, "a", k="v")
        await server.client.delete(core_v1.ConfigMap, "b", "default")
        revision = first.metadata.resourceVersion
        answer = await server.ask("GET", f"{MAPS}?resourceVersion={revision}&resourceVersionMatch=Exact")
        assert answer.tree()["metadata"]["resourceVersion"] == revision
        assert [(i["metadata"]["name"], i.get("data")) for i in answer.tree()["items"]] == [("a", None)]

    @pytest.mark.parametrize(
        ("query", "code", "message"),
        [
            ("resourceVersion=abc", 400, 'strconv.ParseUint: parsing "abc": invalid syntax'),
            ("resourceVersion=-1", 400, "invalid syntax"),
            ("resourceVersion=%C2%B2", 400, "invalid syntax"),
            ("resourceVersion=" + "9" * 5000, 400, "value out of range"),
            ("resourceVersion=1&resourceVersionMatch=Most", 400, 'Unsupported value: "Most"'),
            ("resourceVersionMatch=Exact", 400, "forbidden unless resourceVersion is provided"),
            ("resourceVersion=0&resourceVersionMatch=Exact", 400, 'forbidden for resourceVersion "0"'),
            ("limit=x", 400, 'strconv.ParseInt: parsing "x": invalid syntax'),
            ("limit=-1", 400, "must be greater than or equal to 0"),
            ("limit=%C2%B2", 400, "invalid syntax"),
            ("continue=x", 400, "continue key is not valid"),
            ("continue=" + "A" * 41, 400, "continue key is not valid"),
            ("labelSelector=a%20b", 400, "unable to parse requirement"),
            ("fieldSelector=spec.x%3D1", 400, "field label not supported: spec.x"),
            ("fieldSelector=a", 400, "field selector"),
        ],
    )
    async def test_refusals(self, server: fakes.FakeServer, query: str, code: int, message: str) -> None:
        answer = await server.ask("GET", f"{MAPS}?{query}")
        assert answer.code == code
        assert message in answer.message

    async def test_too_large_a_revision_is_told_as_a_cause(self, server: fakes.FakeServer) -> None:
        for path in (f"{MAPS}?", f"{MAPS}/a?", f"{MAPS}?watch=1&"):
            answer = await patient(server, f"{path}resourceVersion=99999")
            assert (answer.code, answer.tree()["reason"]) == (504, "Timeout")
            assert "Too large resource version: 99999, current: " in answer.message
            assert answer.tree()["details"]["causes"][0]["reason"] == "ResourceVersionTooLarge"

    async def test_a_revision_that_is_about_to_come_is_waited_for(self, server: fakes.FakeServer) -> None:
        await make(server, "a", "b")
        ahead = server.store.revision + 1
        asking = asyncio.ensure_future(server.ask("GET", f"{MAPS}?resourceVersion={ahead}"))
        await settle()
        await change(server, "a", k="v")
        answer = await asking
        assert answer.tree()["metadata"]["resourceVersion"] == str(ahead)

    async def test_too_old_a_revision_is_gone(self, server: fakes.FakeServer) -> None:
        first, _ = await make(server, "a", "b")
        await change(server, "a", k="v")
        await server.store.compact(server.store.revision)
        query = f"resourceVersion={first.metadata.resourceVersion}&resourceVersionMatch=Exact"
        answer = await server.ask("GET", f"{MAPS}?{query}")
        assert (answer.code, answer.tree()["reason"]) == (410, "Expired")

    async def test_selectors(self, server: fakes.FakeServer) -> None:
        for name, tier in (("a", "web"), ("b", "db"), ("c", "web")):
            wanted = fakes.config_map(name)
            wanted.metadata.labels = {"tier": tier}
            await server.client.create(wanted)
        assert await names(server, "labelSelector=tier%3Dweb") == ["a", "c"]
        assert await names(server, "labelSelector=tier+in+(db)") == ["b"]
        assert await names(server, "fieldSelector=metadata.name%3Dc") == ["c"]
        assert await names(server, "fieldSelector=metadata.name!%3Dc") == ["a", "b"]
        assert await names(server, "labelSelector=tier%3Dweb&fieldSelector=metadata.name%3Da") == ["a"]

    async def test_pods_by_node_and_phase(self, server: fakes.FakeServer) -> None:
        await server.account()
        await server.client.create(fakes.pod("a", node="n1"))
        await server.client.create(fakes.pod("b"))
        listed = await server.client.list(core_v1.Pod, fields="spec.nodeName=n1")
        assert [pod.metadata.name for pod in listed.items] == ["a"]
        listed = await server.client.list(core_v1.Pod, fields="spec.nodeName=,status.phase=Pending")
        assert [pod.metadata.name for pod in listed.items] == ["b"]


def _named(name: str) -> Any:
    return codecs.from_tree(core_v1.Namespace, {"metadata": {"name": name}}).metadata


class TestContinue:
    async def page(self, server: fakes.FakeServer, query: str) -> tuple[list[str], str, Any]:
        tree = (await server.ask("GET", f"{MAPS}?{query}")).tree()
        meta = tree["metadata"]
        return [i["metadata"]["name"] for i in tree["items"]], meta.get("continue", ""), meta

    async def test_pages_are_of_one_revision(self, server: fakes.FakeServer) -> None:
        await make(server, "a", "b", "c", "d", "e")
        first, token, meta = await self.page(server, "limit=2")
        assert (first, meta["remainingItemCount"]) == (["a", "b"], 3)
        await server.client.delete(core_v1.ConfigMap, "c", "default")
        await make(server, "bb", "z")
        second, token, again = await self.page(server, f"limit=2&continue={token}")
        assert second == ["c", "d"]
        assert again["resourceVersion"] == meta["resourceVersion"]
        third, token, _ = await self.page(server, f"limit=2&continue={token}")
        assert (third, token) == (["e"], "")

    async def test_an_exact_limit_leaves_no_token(self, server: fakes.FakeServer) -> None:
        await make(server, "a", "b")
        assert (await self.page(server, "limit=2"))[1] == ""

    async def test_what_a_selector_leaves_is_not_counted(self, server: fakes.FakeServer) -> None:
        await make(server, "a", "b", "c")
        found, token, meta = await self.page(server, "limit=1&fieldSelector=metadata.name!%3Da")
        assert found == ["b"]
        assert token
        assert "remainingItemCount" not in meta

    async def test_an_expired_token_comes_with_a_fresh_one(self, server: fakes.FakeServer) -> None:
        await make(server, "a", "b", "c", "d")
        _, token, _ = await self.page(server, "limit=2")
        await make(server, "cc")
        await server.store.compact(server.store.revision)
        answer = await server.ask("GET", f"{MAPS}?limit=2&continue={token}")
        assert answer.code == 410
        assert "too old to display a consistent list" in answer.message
        fresh = answer.tree()["metadata"]["continue"]
        assert (await self.page(server, f"limit=2&continue={fresh}"))[0] == ["c", "cc"]

    async def test_tokens_say_all_there_is_to_say(self, server: fakes.FakeServer) -> None:
        await make(server, "a", "b")
        _, token, meta = await self.page(server, "limit=1")
        decoded = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        assert decoded == {"v": "meta.k8s.io/v1", "rv": int(meta["resourceVersion"]), "start": "default/a\0"}
        for query, why in (
            ("resourceVersion=5", "resource version"),
            ("resourceVersion=0&resourceVersionMatch=Exact", ""),
        ):
            answer = await server.ask("GET", f"{MAPS}?continue={token}&{query}")
            assert answer.code == 400
            assert why in answer.message

    async def test_a_token_of_another_making_is_refused(self, server: fakes.FakeServer) -> None:
        for fields in ({"v": "x", "rv": 5, "start": "a"}, {"v": "meta.k8s.io/v1", "rv": 0, "start": "a"}, {"v": 1}):
            token = base64.urlsafe_b64encode(json.dumps(fields).encode()).decode()
            answer = await server.ask("GET", f"{MAPS}?continue={token}")
            assert answer.code == 400
            assert "continue key is not valid" in answer.message


class TestWatch:
    async def test_from_a_revision(self, server: fakes.FakeServer) -> None:
        first, second = await make(server, "a", "b")
        watch = await server.watch(f"{MAPS}?watch=1&resourceVersion={first.metadata.resourceVersion}")
        changed = await change(server, "a", k="v")
        await server.client.delete(core_v1.ConfigMap, "b", "default")
        seen = [await watch.event() for _ in range(3)]
        assert [(e["type"], e["object"]["metadata"]["name"]) for e in seen] == [
            ("ADDED", "b"),
            ("MODIFIED", "a"),
            ("DELETED", "b"),
        ]
        assert [e["object"]["metadata"]["resourceVersion"] for e in seen] == [
            second.metadata.resourceVersion,
            changed.metadata.resourceVersion,
            str(server.store.revision),
        ]

    @pytest.mark.parametrize("revision", ["", "0"])
    async def test_without_one_begins_with_what_exists(self, server: fakes.FakeServer, revision: str) -> None:
        await make(server, "a", "b")
        watch = await server.watch(f"{MAPS}?watch=true&resourceVersion={revision}")
        seen = [await watch.event(), await watch.event()]
        assert [(e["type"], e["object"]["metadata"]["name"]) for e in seen] == [("ADDED", "a"), ("ADDED", "b")]

    async def test_from_before_the_window(self, server: fakes.FakeServer) -> None:
        (first,) = await make(server, "a")
        for number in range(1100):
            await change(server, "a", k=str(number))
        watch = await server.watch(f"{MAPS}?watch=1&resourceVersion={first.metadata.resourceVersion}")
        seen = [await watch.event() for _ in range(1100)]
        assert [e["object"]["data"]["k"] for e in seen] == [str(number) for number in range(1100)]
        await server.client.delete(core_v1.ConfigMap, "a", "default")
        assert (await watch.event())["type"] == "DELETED"

    async def test_from_too_old_a_revision(self, server: fakes.FakeServer) -> None:
        (first,) = await make(server, "a")
        for number in range(1100):
            await change(server, "a", k=str(number))
        await server.store.compact(server.store.revision)
        answer = await server.ask("GET", f"{MAPS}?watch=1&resourceVersion={first.metadata.resourceVersion}")
        event = answer.tree()
        assert (answer.code, event["type"]) == (200, "ERROR")
        assert (event["object"]["code"], event["object"]["reason"]) == (410, "Expired")
        assert "too old resource version" in event["object"]["message"]
        with pytest.raises(errors.StatusError) as caught:
            async with server.client.watch(core_v1.ConfigMap, revision=first.metadata.resourceVersion):
                pass
        assert caught.value.reason == "Expired"

    async def test_initial_events_and_the_bookmark_that_ends_them(self, server: fakes.FakeServer) -> None:
        await make(server, "a")
        query = "watch=1&sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan"
        watch = await server.watch(f"{MAPS}?{query}")
        assert (await watch.event())["object"]["metadata"]["name"] == "a"
        end = await watch.event()
        assert end["type"] == "BOOKMARK"
        assert end["object"]["kind"] == "ConfigMap"
        assert end["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
        assert end["object"]["metadata"]["resourceVersion"] == str(server.store.revision)
        await make(server, "b")
        assert (await watch.event())["object"]["metadata"]["name"] == "b"

    @pytest.mark.parametrize(
        "query",
        [
            "sendInitialEvents=true&resourceVersionMatch=NotOlderThan",
            "sendInitialEvents=true&allowWatchBookmarks=true",
            "resourceVersionMatch=NotOlderThan",
        ],
    )
    async def test_contradictory_options(self, server: fakes.FakeServer, query: str) -> None:
        assert (await server.ask("GET", f"{MAPS}?watch=1&{query}")).code == 422

    @pytest.mark.parametrize("seconds", ["x", "%C2%B2", "-1", "1e3"])
    async def test_a_timeout_that_is_none(self, server: fakes.FakeServer, seconds: str) -> None:
        assert (await server.ask("GET", f"{MAPS}?watch=1&timeoutSeconds={seconds}")).code == 400

    async def test_too_new_a_revision(self, server: fakes.FakeServer) -> None:
        assert (await patient(server, f"{MAPS}?watch=1&resourceVersion=99999")).code == 504

    async def test_objects_enter_and_leave_a_selection(self, server: fakes.FakeServer) -> None:
        watch = await server.watch(f"{MAPS}?watch=1&labelSelector=on%3Dyes")
        await make(server, "a", "b")

        async def label(value: str | None) -> str:
            patch = {"metadata": {"labels": {"on": value}}}
            changed = await server.client.patch(core_v1.ConfigMap, "a", "default", patch)
            return changed.metadata.resourceVersion

        revisions = [await label("yes"), await label("no"), await label("yes")]
        await server.client.delete(core_v1.ConfigMap, "a", "default")
        seen = [await watch.event() for _ in range(4)]
        assert [e["type"] for e in seen] == ["ADDED", "DELETED", "ADDED", "DELETED"]
        assert [e["object"]["metadata"]["resourceVersion"] for e in seen] == [*revisions, str(server.store.revision)]

    async def test_one_object_by_name(self, server: fakes.FakeServer) -> None:
        watch = await server.watch(f"{MAPS}?watch=1&fieldSelector=metadata.name%3Db")
        await make(server, "a", "b")
        assert (await watch.event())["object"]["metadata"]["name"] == "b"

    async def test_ends_at_its_time(self, server: fakes.FakeServer) -> None:
        watch = await server.watch(f"{MAPS}?watch=1&timeoutSeconds=5")
        await server.clock.advance(5.1)
        assert await watch.chunk() == b""

    async def test_without_a_timeout_ends_within_an_hour(self, server: fakes.FakeServer) -> None:
        watch = await server.watch(f"{MAPS}?watch=1")
        await server.clock.advance(3601)
        assert await watch.chunk() == b""

    async def test_bookmarks_for_those_who_ask(self, server: fakes.FakeServer) -> None:
        asked = await server.watch(f"{MAPS}?watch=1&allowWatchBookmarks=true")
        other = await server.watch(f"{MAPS}?watch=1")
        await server.client.create(core_v1.Namespace(metadata=_named("moves-the-revision")))
        await server.clock.advance(61)
        mark = await asked.event()
        assert (mark["type"], mark["object"]["metadata"]["resourceVersion"]) == ("BOOKMARK", str(server.store.revision))
        await make(server, "a")
        assert (await other.event())["type"] == "ADDED"

    async def test_a_closing_server_ends_it(self) -> None:
        async with fakes.FakeServer() as server:
            watch = await server.watch(f"{MAPS}?watch=1")
            server._wires.remove(watch)
        assert await watch.chunk() == b""
        await watch.close()

    async def test_who_does_not_read_is_dropped(self) -> None:
        async with fakes.FakeServer(max_backlog=100_000) as server:
            wire = await server.wire(limit=1024)
            wire.send("GET", f"{MAPS}?watch=1")
            assert (await wire.head())[0] == 200
            collection = server.api.registry.collection("", "configmaps")
            await make(server, "a")
            for number in range(300):
                await change(server, "a", k=f"{number:03}" * 30_000)
                await server.clock.advance(0)
                if not len(collection.watchers):
                    break
            assert len(collection.watchers) == 0

    async def test_who_leaves_is_forgotten(self, server: fakes.FakeServer) -> None:
        collection = server.api.registry.collection("", "configmaps")
        watch = await server.watch(f"{MAPS}?watch=1")
        assert len(collection.watchers) == 1
        await watch.close()
        for _ in range(100):
            await server.clock.advance(0)
            if not len(collection.watchers):
                break
        assert len(collection.watchers) == 0

    async def test_deprecated_path(self, server: fakes.FakeServer) -> None:
        await make(server, "a")
        watch = await server.watch("/api/v1/watch/namespaces/default/configmaps")
        assert (await watch.event())["object"]["metadata"]["name"] == "a"


class TestLoopback:
    async def test_objects_are_shared(self, server: fakes.FakeServer) -> None:
        await make(server, "a")
        one = await server.client.get(core_v1.ConfigMap, "a", "default")
        listed = await server.client.list(core_v1.ConfigMap, "default")
        assert one is listed.items[0]
        async with server.client.watch(core_v1.ConfigMap, "default") as stream:
            assert (await stream.next())[0].object is one

    async def test_a_watched_write_is_the_object_that_was_written(self, server: fakes.FakeServer) -> None:
        async with server.client.watch(core_v1.ConfigMap, "default") as stream:
            (made,) = await make(server, "a")
            (event,) = await stream.next()
            assert event.object is made

    async def test_closing_ends_the_watch(self, server: fakes.FakeServer) -> None:
        client = server.as_user(fakes.ADMIN)
        async with client.watch(core_v1.ConfigMap, "default") as stream:
            await client.close()
            assert await stream.next() == []

    async def test_a_timeout_ends_the_watch(self, server: fakes.FakeServer) -> None:
        async with server.client.watch(core_v1.ConfigMap, "default", timeout=5) as stream:
            await server.clock.advance(6)
            assert await stream.next() == []

    async def test_metadata_only(self, server: fakes.FakeServer) -> None:
        from pybernetes import client as clients

        await make(server, "a", k="v")
        resource = clients.resource_of(core_v1.ConfigMap).metadata_only()
        (found,) = (await server.client.list(resource, "default")).items
        assert (found.kind, found.metadata.name) == ("PartialObjectMetadata", "a")


class TestUpkeep:
    async def test_events_expire(self, server: fakes.FakeServer) -> None:
        event = codecs.from_tree(
            core_v1.Event,
            {"metadata": {"name": "e", "namespace": "default"}, "involvedObject": {"namespace": "default"}},
        )
        await server.client.create(event)
        await server.clock.advance(3500)
        assert len(server.api.registry.collection("", "events")) == 1
        await server.clock.advance(700)
        assert len(server.api.registry.collection("", "events")) == 0

    async def test_history_is_compacted(self, server: fakes.FakeServer) -> None:
        (first,) = await make(server, "a")
        await change(server, "a", k="v")
        await server.clock.advance(601)
        query = f"resourceVersion={first.metadata.resourceVersion}&resourceVersionMatch=Exact"
        assert (await server.ask("GET", f"{MAPS}?{query}")).code == 410

    async def test_tokens_grow_old_where_nobody_writes(self, server: fakes.FakeServer) -> None:
        await make(server, "a", "b", "c")
        page = (await server.ask("GET", f"{MAPS}?limit=1")).tree()
        token = page["metadata"]["continue"]
        assert (await server.ask("GET", f"{MAPS}?limit=1&continue={token}")).code == 200
        await server.clock.advance(601)
        refused = await server.ask("GET", f"{MAPS}?limit=1&continue={token}")
        assert refused.code == 410
        goes_on = (await server.ask("GET", f"{MAPS}?limit=1&continue={refused.tree()['metadata']['continue']}")).tree()
        assert [item["metadata"]["name"] for item in goes_on["items"]] == ["b"]
        assert goes_on["metadata"]["resourceVersion"] != page["metadata"]["resourceVersion"]

    async def test_a_store_that_cannot_write(self, server: fakes.FakeServer) -> None:
        await make(server, "a")
        server.store.broken = True
        answer = await server.ask("POST", MAPS, {"metadata": {"name": "b"}})
        assert answer.code == 500
        assert "etcdserver: disk full" in answer.message
        assert (await server.ask("DELETE", f"{MAPS}/a")).code == 500
        assert await names(server) == ["a"]
        server.store.broken = False
        assert (await server.ask("POST", MAPS, {"metadata": {"name": "b"}})).code == 201
