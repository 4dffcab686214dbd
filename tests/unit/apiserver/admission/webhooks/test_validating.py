from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pybernetes.api import codecs, errors
from pybernetes.api.types import apps_v1, core_v1, meta_v1, scheduling_v1
from pybernetes.apiserver.admission.webhooks import reviews
from pybernetes.kits.clock import settle
from tests.fakes import apiserver as fakes
from tests.fakes import scrape
from tests.fakes import webhooks as hooks_

ALLOWED = {"allowed": True}


@pytest.fixture
async def server() -> AsyncIterator[fakes.FakeServer]:
    async with fakes.FakeServer() as server:
        yield server


@pytest.fixture
async def hooks() -> AsyncIterator[hooks_.FakeWebhooks]:
    async with hooks_.FakeWebhooks() as hooks:
        hooks.on["/yes"] = lambda _: dict(ALLOWED)
        hooks.on["/no"] = lambda _: {"allowed": False, "status": {"message": "not today", "code": 403}}
        yield hooks


async def refused(server: fakes.FakeServer, obj: Any) -> errors.StatusError:
    with pytest.raises(errors.StatusError) as caught:
        await server.client.create(obj)
    return caught.value


async def test_it_decides(server: fakes.FakeServer, hooks: hooks_.FakeWebhooks) -> None:
    await server.client.create(hooks_.validating("v", hooks_.hook("no", hooks.at("/no"))))
    error = await refused(server, fakes.config_map("a"))
    assert str(error) == 'admission webhook "no.example.com" denied the request: not today'
    assert error.code == 403
    await server.client.create(core_v1.Secret(metadata=meta_v1.ObjectMeta(name="a", namespace="default")))
    await server.client.delete(type(hooks_.validating("v")), "v")
    await server.client.create(fakes.config_map("a"))


async def test_what_it_is_asked(server: fakes.FakeServer, hooks: hooks_.FakeWebhooks) -> None:
    operations = ("CREATE", "UPDATE", "DELETE")
    rule = hooks_.rule("configmaps", operations=operations)
    await server.client.create(hooks_.validating("v", hooks_.hook("yes", hooks.at("/yes"), rule)))
    made = await server.client.create(fakes.config_map("a", k="v"))
    changed = codecs.copy(made)
    changed.data = {"k": "w"}
    await server.client.update(changed)
    await server.client.delete(core_v1.ConfigMap, "a", "default")
    created, updated, deleted = hooks.requests("/yes")
    assert created["kind"] == {"group": "", "version": "v1", "kind": "ConfigMap"}
    assert created["resource"] == {"group": "", "version": "v1", "resource": "configmaps"}
    assert created["requestKind"] == created["kind"]
    assert (created["name"], created["namespace"], created["operation"]) == ("a", "default", "CREATE")
    assert created["userInfo"] == {"username": "admin", "groups": ["system:masters", "system:authenticated"]}
    assert created["dryRun"] is False
    assert created["object"]["data"] == {"k": "v"}
    assert created["oldObject"] is None
    assert created["options"]["kind"] == "CreateOptions"
    assert (updated["oldObject"]["data"], updated["object"]["data"]) == ({"k": "v"}, {"k": "w"})
    assert (deleted["object"], deleted["oldObject"]["data"]) == (None, {"k": "w"})
    assert deleted["options"]["kind"] == "DeleteOptions"


async def test_by_way_of_a_service(server: fakes.FakeServer, hooks: hooks_.FakeWebhooks) -> None:
    config = await hooks.as_service(server, "/no")
    await server.client.create(hooks_.validating("v", hooks_.hook("no", config)))
    for name in "abc":
        assert "not today" in str(await refused(server, fakes.config_map(name)))
    # One connection serves all.
    assert len(hooks.connections) == 1


async def test_a_service_without_endpoints(server: fakes.FakeServer) -> None:
    service = {"name": "none", "namespace": "default", "path": "/x"}
    await server.client.create(hooks_.validating("v", hooks_.hook("no", {"service": service})))
    error = await refused(server, fakes.config_map("a"))
    assert error.code == 500
    assert str(error) == (
        'Internal error occurred: failed calling webhook "no.example.com": failed to call webhook: '
        'Post "https://none.default.svc:443/x?timeout=10s": service "none" not found'
    )


async def test_failure_policies(server: fakes.FakeServer, hooks: hooks_.FakeWebhooks) -> None:
    hooks.raw["/broken"] = (500, b"oops")
    ignoring = hooks_.hook("broken", hooks.at("/broken"), failurePolicy="Ignore")
    made = await server.client.create(hooks_.validating("v", ignoring))
    await server.client.create(fakes.config_map("a"))
    changed = codecs.copy(made)
    changed.webhooks[0].failurePolicy = "Fail"
    await server.client.update(changed)
    error = await refused(server, fakes.config_map("b"))
    assert str(error).endswith('an error on the server ("oops") has prevented the request from succeeding')


async def test_a_server_that_is_not_trusted(server: fakes.FakeServer, hooks: hooks_.FakeWebhooks) -> None:
    config = {"url": hooks.at("/yes")["url"]}
    await server.client.create(hooks_.validating("v", hooks_.hook("yes", config)))
    assert "tls: failed to verify certificate: x509: " in str(await refused(server, fakes.config_map("a")))


async def test_one_that_hangs_holds_up_its_own_only(server: fakes.FakeServer, hooks: hooks_.FakeWebhooks) -> None:
    hooks.held["/slow"] = asyncio.Event()
    hooks.on["/slow"] = hooks.on["/yes"]
    await server.client.create(
        hooks_.validating(
            "v",
            hooks_.hook("slow", hooks.at("/slow"), hooks_.rule("secrets"), timeoutSeconds=3),
            hooks_.hook("quick", hooks.at("/yes")),
        )
    )
    secret = core_v1.Secret(metadata=meta_v1.ObjectMeta(name="s", namespace="default"))
    waiting = [asyncio.ensure_future(refused(server, secret)) for _ in range(100)]
    for index in range(20):
        await server.client.create(fakes.config_map(f"c{index}"))
    assert not any(task.done() for task in waiting)
    await server.clock.advance(3.0)
    for error in await asyncio.gather(*waiting):
        assert str(error).endswith('/slow?timeout=3s": context deadline exceeded')
    await settle()


async def test_all_are_asked_at_once(server: fakes.FakeServer, hooks: hooks_.FakeWebhooks) -> None:
    for name in ("/one", "/two"):
        hooks.held[name] = asyncio.Event()
        hooks.on[name] = hooks.on["/yes"]
    await server.client.create(
        hooks_.validating("v", hooks_.hook("one", hooks.at("/one")), hooks_.hook("two", hooks.at("/two")))
    )
    creating = asyncio.ensure_future(server.client.create(fakes.config_map("a")))
    while len(hooks.asked) < 2:
        await settle()
    for event in hooks.held.values():
        event.set()
    await creating


async def test_selectors(server: fakes.FakeServer, hooks: hooks_.FakeWebhooks) -> None:
    for name, labels in (("in", {"guarded": "yes"}), ("out", {})):
        await server.client.create(core_v1.Namespace(metadata=meta_v1.ObjectMeta(name=name, labels=labels)))
    of = {"namespaceSelector": {"matchLabels": {"guarded": "yes"}}, "objectSelector": {"matchLabels": {"a": "b"}}}
    await server.client.create(hooks_.validating("v", hooks_.hook("no", hooks.at("/no"), **of)))
    await server.client.create(fakes.config_map("a", "out"))
    await server.client.create(fakes.config_map("a", "in"))
    labelled = fakes.config_map("b", "in")
    labelled.metadata.labels = {"a": "b"}
    assert "not today" in str(await refused(server, labelled))


async def test_conditions(server: fakes.FakeServer, hooks: hooks_.FakeWebhooks) -> None:
    condition = {"name": "not-mine", "expression": "!object.metadata.name.startsWith('my-')"}
    await server.client.create(hooks_.validating("v", hooks_.hook("no", hooks.at("/no"), matchConditions=[condition])))
    await server.client.create(fakes.config_map("my-own"))
    assert "not today" in str(await refused(server, fakes.config_map("other")))


async def test_conditions_that_fail(server: fakes.FakeServer, hooks: hooks_.FakeWebhooks) -> None:
    condition = {"name": "c", "expression": "object.data.k == 'v'"}
    made = await server.client.create(
        hooks_.validating("v", hooks_.hook("no", hooks.at("/no"), matchConditions=[condition]))
    )
    error = await refused(server, fakes.config_map("a"))
    why = "expression 'object.data.k == 'v'' resulted in error: no such key: data"
    assert (error.code, str(error)) == (403, f'configmaps "a" is forbidden: {why}')
    changed = codecs.copy(made)
    changed.webhooks[0].failurePolicy = "Ignore"
    await server.client.update(changed)
    await server.client.create(fakes.config_map("a"))
    assert not hooks.asked


async def test_conditions_compile(server: fakes.FakeServer, hooks: hooks_.FakeWebhooks) -> None:
    for expression, why in (
        ("object.", "compilation failed: ERROR: <input>:1:8: Syntax error"),
        ("'text'", "must evaluate to bool but got string"),
        (
            "params.x == 1",
            "ERROR: <input>:1:1: undeclared reference to 'params' (in container '')\n | params.x == 1\n | ^",
        ),
    ):
        condition = {"name": "c", "expression": expression}
        hook = hooks_.hook("no", hooks.at("/no"), matchConditions=[condition])
        error = await refused(server, hooks_.validating("v", hook))
        assert error.reason == "Invalid"
        assert f'webhooks[0].matchConditions[0].expression: Invalid value: "{expression}": ' in str(error)
        assert why in str(error)


async def test_equivalent_resources(server: fakes.FakeServer, hooks: hooks_.FakeWebhooks) -> None:
    old = {"apiGroups": ["autoscaling"], "apiVersions": ["v1"], "resources": ["horizontalpodautoscalers"]}
    exact = hooks_.hook("exact", hooks.at("/no"), {"operations": ["CREATE"], **old}, matchPolicy="Exact")
    alike = hooks_.hook("alike", hooks.at("/yes"), {"operations": ["CREATE"], **old}, matchPolicy="Equivalent")
    await server.client.create(hooks_.validating("v", exact, alike))
    scaler = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "h"},
        "spec": {"maxReplicas": 3, "scaleTargetRef": {"kind": "Deployment", "name": "d", "apiVersion": "apps/v1"}},
    }
    path = "/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers"
    assert (await server.ask("POST", path, scaler)).code == 201
    (asked,) = hooks.requests("/yes")
    assert asked["kind"]["version"] == "v1"
    assert asked["requestKind"]["version"] == "v2"
    assert asked["object"]["apiVersion"] == "autoscaling/v1"


async def test_webhooks_cannot_lock_themselves_in(server: fakes.FakeServer, hooks: hooks_.FakeWebhooks) -> None:
    everything = hooks_.hook("no", hooks.at("/no"), hooks_.rule("*", operations=("*",)))
    made = await server.client.create(hooks_.validating("v", everything))
    await server.client.create(hooks_.mutating("m", everything))
    await server.client.delete(type(made), "v")


async def test_dry_run(server: fakes.FakeServer, hooks: hooks_.FakeWebhooks) -> None:
    path = "/api/v1/namespaces/default/configmaps?dryRun=All"
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}
    made = await server.client.create(hooks_.validating("v", hooks_.hook("yes", hooks.at("/yes"))))
    assert (await server.ask("POST", path, body)).code == 201
    assert hooks.requests("/yes")[0]["dryRun"] is True
    # Only what was written with v1beta1 can have side effects.
    stored_in = server.api.registry.collection("admissionregistration.k8s.io", "validatingwebhookconfigurations")
    item = stored_in.get("", "v")
    assert item is not None
    stored = item.fresh(type(made))
    stored.webhooks[0].sideEffects = "Some"
    await stored_in.replace(item, stored)
    answer = await server.ask("POST", path, body)
    assert (answer.code, answer.message) == (400, 'admission webhook "yes.example.com" does not support dry run')


async def test_warnings(server: fakes.FakeServer, hooks: hooks_.FakeWebhooks) -> None:
    hooks.on["/warn"] = lambda _: {"allowed": True, "warnings": ["mind the gap"], "auditAnnotations": {"k": "v"}}
    await server.client.create(hooks_.validating("v", hooks_.hook("warn", hooks.at("/warn"))))
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}
    answer = await server.ask("POST", "/api/v1/namespaces/default/configmaps", body)
    assert answer.headers["warning"] == '299 - "mind the gap"'


async def test_connections_and_parts(server: fakes.FakeServer, hooks: hooks_.FakeWebhooks) -> None:
    await server.account()
    pod = await server.client.create(fakes.pod("p"))
    rules = (
        hooks_.rule("pods/exec", "pods/attach", "pods/portforward", operations=("CONNECT",)),
        hooks_.rule("pods/binding", "pods/eviction", "serviceaccounts/token"),
        hooks_.rule("deployments/scale", operations=("UPDATE",)),
    )
    await server.client.create(hooks_.validating("v", hooks_.hook("no", hooks.at("/no"), *rules)))
    at = "/api/v1/namespaces/default"
    meta = {"name": "p"}
    for path, body in (
        ("/pods/p/exec?command=ls&stdin=true", None),
        ("/pods/p/attach?container=c&stdout=1", None),
        ("/pods/p/portforward?ports=80", None),
        ("/pods/p/binding", {"kind": "Binding", "apiVersion": "v1", "metadata": meta, "target": {"name": "n"}}),
        ("/pods/p/eviction", {"kind": "Eviction", "apiVersion": "policy/v1", "metadata": meta}),
        (
            "/serviceaccounts/default/token",
            {"kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1", "spec": {"audiences": []}},
        ),
    ):
        answer = await server.ask("POST", at + path, body)
        assert (answer.code, "not today" in answer.message) == (403, True)
    kinds = [request["kind"]["kind"] for request in hooks.requests("/no")]
    assert kinds == [
        "PodExecOptions",
        "PodAttachOptions",
        "PodPortForwardOptions",
        "Binding",
        "Eviction",
        "TokenRequest",
    ]
    first, second, third, bound, *_ = hooks.requests("/no")
    assert first["object"] == {"apiVersion": "v1", "kind": "PodExecOptions", "stdin": True, "command": ["ls"]}
    assert (first["operation"], first["subResource"], first["name"]) == ("CONNECT", "exec", "p")
    assert second["object"]["container"] == "c"
    assert third["object"]["ports"] == [80]
    assert bound["object"]["target"]["name"] == "n"
    assert (await server.client.get(core_v1.Pod, "p", "default")).metadata.uid == pod.metadata.uid


async def test_scales(server: fakes.FakeServer, hooks: hooks_.FakeWebhooks) -> None:
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    tree = {
        "metadata": {"name": "d", "namespace": "default"},
        "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": template},
    }
    await server.client.create(codecs.from_tree(apps_v1.Deployment, tree))
    hooks.on["/fewer"] = lambda _: hooks_.patch({"op": "replace", "path": "/spec/replicas", "value": 2})
    rule = hooks_.rule("deployments/scale", operations=("UPDATE",))
    await server.client.create(hooks_.mutating("m", hooks_.hook("fewer", hooks.at("/fewer"), rule)))
    scale = {"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": {"name": "d"}, "spec": {"replicas": 9}}
    path = "/apis/apps/v1/namespaces/default/deployments/d/scale"
    assert (await server.ask("PUT", path, scale)).tree()["spec"] == {"replicas": 2}
    (asked,) = hooks.requests("/fewer")
    assert asked["kind"] == {"group": "autoscaling", "version": "v1", "kind": "Scale"}
    assert (asked["oldObject"]["spec"]["replicas"], asked["object"]["spec"]["replicas"]) == (1, 9)


class TestAnswers:
    @pytest.mark.parametrize(
        ("response", "why"),
        [
            (None, "webhook response was absent"),
            ({"uid": "y"}, 'expected response.uid="u", got "y"'),
            ({"uid": "u", "patch": "W10="}, "validating webhook may not return response.patch"),
            ({"uid": "u", "patchType": "JSONPatch"}, "validating webhook may not return response.patchType"),
        ],
    )
    def test_of_validating_ones(self, response: Any, why: str) -> None:
        document = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}
        with pytest.raises(ValueError, match="^" + why.replace(".", r"\.") + "$"):
            reviews.answer(document, "v1", "u", mutating=False)

    @pytest.mark.parametrize(
        ("response", "why"),
        [
            ({"patch": "W10="}, "webhook returned response.patch but not response.patchType"),
            ({"patchType": "JSONPatch"}, "webhook returned response.patchType but not response.patch"),
            ({"patch": "W10=", "patchType": ""}, 'webhook returned invalid response.patchType of ""'),
            ({"patch": "?", "patchType": "JSONPatch"}, "illegal base64 data in response.patch"),
        ],
    )
    def test_of_mutating_ones(self, response: Any, why: str) -> None:
        document = {
            "apiVersion": "admission.k8s.io/v1",
            "kind": "AdmissionReview",
            "response": {"uid": "u", **response},
        }
        with pytest.raises(ValueError, match=f"^{why}$"):
            reviews.answer(document, "v1", "u", mutating=True)

    def test_of_another_kind(self) -> None:
        why = "expected webhook response of admission.k8s.io/v1, Kind=AdmissionReview, got v1, Kind=Pod"
        with pytest.raises(ValueError, match=why):
            reviews.answer({"apiVersion": "v1", "kind": "Pod", "response": {"uid": "u"}}, "v1", "u", mutating=True)

    def test_older_ones_are_not_looked_at_so_closely(self) -> None:
        found = reviews.answer({"response": {"allowed": True, "patch": "W10="}}, "v1beta1", "u", mutating=True)
        assert (found.allowed, found.patch, found.patch_type) == (True, b"[]", "JSONPatch")

    def test_refusals(self) -> None:
        status = meta_v1.Status(status="Success", code=200, reason="Because")
        error = reviews.refusal("w", status)
        assert (error.code, error.status.status) == (400, "Failure")
        assert str(error) == 'admission webhook "w" denied the request: Because'
        assert str(reviews.refusal("w", None)) == 'admission webhook "w" denied the request without explanation'


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
NAMES = ("uid", "allowed", "status", "patch", "patchType", "auditAnnotations", "warnings", "other")
MEMBERS = st.fixed_dictionaries({}, optional=dict.fromkeys(NAMES, JSON))


@given(response=MEMBERS | JSON, version=st.sampled_from(reviews.VERSIONS), mutating=st.booleans())
def test_any_answer_is_one_or_says_why_not(response: Any, version: str, mutating: bool) -> None:
    whole = {"apiVersion": f"admission.k8s.io/{version}", "kind": "AdmissionReview", "response": response}
    if isinstance(response, dict):
        response.setdefault("uid", "u")
    try:
        found = reviews.answer(whole, version, "u", mutating=mutating)
    except ValueError:
        return
    assert isinstance(found.allowed, bool)


@settings(max_examples=30, deadline=None)
@given(
    data=st.binary(max_size=40) | JSON.map(lambda tree: json.dumps(tree).encode()),
    code=st.sampled_from([200, 201, 404, 500]),
)
async def test_whatever_is_sent_back_is_an_error_and_no_crash(data: bytes, code: int) -> None:
    async with fakes.FakeServer() as server, hooks_.FakeWebhooks() as hooks:
        hooks.raw["/raw"] = (code, data)
        await server.client.create(hooks_.validating("v", hooks_.hook("raw", hooks.at("/raw"))))
        error = await refused(server, fakes.config_map("a"))
        assert str(error).startswith('Internal error occurred: failed calling webhook "raw.example.com": ')


async def test_what_every_cluster_has_is_made_once_it_may(hooks: hooks_.FakeWebhooks) -> None:
    store = fakes.FragileStore()
    async with fakes.FakeServer(store=store) as server:
        rule = hooks_.rule("priorityclasses")
        await server.client.create(hooks_.validating("v", hooks_.hook("no", hooks.at("/no"), rule)))
        await server.client.delete(scheduling_v1.PriorityClass, "system-node-critical")
    async with fakes.FakeServer(store=store) as server:
        ready = await server.ask("GET", "/readyz")
        assert (ready.code, b"poststarthook/rbac/bootstrap-roles failed" in ready.body) == (500, True)
        await server.client.delete(type(hooks_.validating("v")), "v")
        await server.clock.advance(5.0)
        await server.client.get(scheduling_v1.PriorityClass, "system-node-critical")
        assert (await server.ask("GET", "/readyz")).code == 200


async def test_what_calls_came_to_is_counted(server: fakes.FakeServer, hooks: hooks_.FakeWebhooks) -> None:
    hooks.raw["/broken"] = (500, b"oops")
    listed = [hooks_.hook(name, hooks.at(f"/{name}")) for name in ("yes", "no")]
    open_ = hooks_.hook("broken", hooks.at("/broken"), failurePolicy="Ignore")
    await server.client.create(hooks_.validating("v", *listed, open_))
    await refused(server, fakes.config_map("a"))
    await server.client.delete(type(hooks_.validating("v")), "v")
    await server.client.create(hooks_.validating("v", hooks_.hook("broken", hooks.at("/broken"))))
    await refused(server, fakes.config_map("a"))
    found = scrape.parse(await server.client.raw("/metrics"))

    def of(metric: str, name: str, **labels: str) -> float:
        about = {"name": f"{name}.example.com", "type": "validating", **labels}
        return found[f"apiserver_admission_webhook_{metric}", tuple(sorted(about.items()))]

    create = {"operation": "CREATE"}
    assert of("request_total", "yes", code="200", rejected="false", **create) == 1
    assert of("request_total", "no", code="403", rejected="true", **create) == 1
    assert of("request_total", "broken", code="500", rejected="false", **create) == 1
    assert of("request_total", "broken", code="500", rejected="true", **create) == 1
    assert of("admission_duration_seconds_count", "no", rejected="true", **create) == 1
    assert of("rejection_count", "no", error_type="no_error", rejection_code="403", **create) == 1
    assert of("rejection_count", "broken", error_type="calling_webhook_error", rejection_code="500", **create) == 1
    assert of("fail_open_count", "broken") == 1


async def test_their_time_is_not_the_requests_own(
    server: fakes.FakeServer, hooks: hooks_.FakeWebhooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = asyncio.Event()

    async def slow(*args: Any, **more: Any) -> Any:
        asked.set()
        await server.clock.sleep(5)
        raise OSError("gone")

    monkeypatch.setattr(server.api.webhooks, "call", slow)
    await server.client.create(hooks_.validating("v", hooks_.hook("slow", hooks.at("/yes"), failurePolicy="Ignore")))
    writing = asyncio.ensure_future(server.client.create(fakes.config_map("a")))
    await asked.wait()
    await settle()
    await server.clock.advance(5)
    await writing
    found = scrape.parse(await server.client.raw("/metrics"))

    def sum_of(metric: str) -> float:
        wanted = {("verb", "POST"), ("resource", "configmaps")}
        return sum(
            value for (name, labels), value in found.items() if name == f"{metric}_sum" and wanted <= set(labels)
        )

    assert sum_of("apiserver_request_duration_seconds") == 5
    assert sum_of("apiserver_request_sli_duration_seconds") == 0
