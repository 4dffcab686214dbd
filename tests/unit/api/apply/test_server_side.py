from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybernetes.api import apply, errors
from pybernetes.api.types import apps_v1, core_v1

T1, T2 = "2026-01-01T00:00:00Z", "2026-01-01T00:00:05Z"


def deployment(**spec: Any) -> dict[str, Any]:
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec}


def applied(live: Any, config: Any, manager: str = "a", time: str = T2, **more: Any) -> dict[str, Any]:
    kind = {"Deployment": apps_v1.Deployment, "Service": core_v1.Service, "ConfigMap": core_v1.ConfigMap}[
        config["kind"]
    ]
    return apply.applied(live, config, kind, manager=manager, api_version=config["apiVersion"], time=time, **more)


def owners(tree: dict[str, Any]) -> dict[str, Any]:
    return {entry["manager"]: entry["fieldsV1"] for entry in tree["metadata"]["managedFields"]}


def template(*containers: dict[str, Any]) -> dict[str, Any]:
    return {"spec": {"containers": list(containers)}}


def test_apply_creates() -> None:
    tree = applied(None, deployment(replicas=1, template=template({"name": "c", "image": "i"})))
    assert tree["spec"]["template"]["spec"]["containers"] == [{"name": "c", "image": "i"}]
    (entry,) = tree["metadata"]["managedFields"]
    assert (entry["operation"], entry["manager"], entry["time"]) == ("Apply", "a", T2)
    assert entry["fieldsV1"] == {
        "f:spec": {
            "f:replicas": {},
            "f:template": {
                "f:spec": {"f:containers": {'k:{"name":"c"}': {".": {}, "f:image": {}, "f:name": {}}}},
            },
        }
    }


def test_applying_the_same_again_changes_nothing() -> None:
    config = deployment(replicas=1)
    first = applied(None, config, time=T1)
    assert applied(first, config, time=T2) == first


def test_what_is_no_longer_stated_goes() -> None:
    live = applied(None, deployment(replicas=1, paused=True, template=template({"name": "c"}, {"name": "d"})), time=T1)
    tree = applied(live, deployment(replicas=1, template=template({"name": "d"})))
    assert "paused" not in tree["spec"]
    assert tree["spec"]["template"]["spec"]["containers"] == [{"name": "d"}]


def test_what_others_own_stays() -> None:
    live = applied(None, deployment(replicas=1, paused=True), manager="a", time=T1)
    live = applied(live, deployment(replicas=1), manager="b", time=T1)
    tree = applied(live, deployment(paused=True), manager="a")
    assert tree["spec"]["replicas"] == 1
    assert owners(tree) == {"a": {"f:spec": {"f:paused": {}}}, "b": {"f:spec": {"f:replicas": {}}}}


def test_conflict() -> None:
    live = deployment(replicas=1)
    live["metadata"]["managedFields"] = apply.created(
        live, apps_v1.Deployment, manager="kubectl-client-side-apply", api_version="apps/v1", time=T1
    )
    with pytest.raises(errors.StatusError) as caught:
        applied(live, deployment(replicas=2))
    status = caught.value.status
    assert (status.code, status.reason) == (409, "Conflict")
    assert status.message == (
        'Apply failed with 1 conflict: conflict with "kubectl-client-side-apply" using apps/v1: .spec.replicas'
    )
    assert status.details is not None
    (cause,) = status.details.causes
    assert (cause.reason, cause.field) == ("FieldManagerConflict", ".spec.replicas")
    assert cause.message == 'conflict with "kubectl-client-side-apply" using apps/v1'
    forced = applied(live, deployment(replicas=2), force=True)
    assert forced["spec"]["replicas"] == 2
    assert owners(forced) == {"a": {"f:spec": {"f:replicas": {}}}}


def test_many_conflicts_are_listed_by_manager() -> None:
    live = applied(None, deployment(replicas=1, paused=True), manager="x", time=T1)
    with pytest.raises(errors.StatusError) as caught:
        applied(live, deployment(replicas=2, paused=False))
    assert str(caught.value) == 'Apply failed with 2 conflicts: conflicts with "x":\n- .spec.paused\n- .spec.replicas'


def test_stating_what_another_states_alike_is_shared() -> None:
    live = applied(None, deployment(replicas=1), manager="a", time=T1)
    assert set(owners(applied(live, deployment(replicas=1), manager="b"))) == {"a", "b"}


def test_kubectl_takes_over_from_its_client_side_apply() -> None:
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"k": "1"}}
    live = json.loads(json.dumps(config))
    live["metadata"]["annotations"] = {"kubectl.kubernetes.io/last-applied-configuration": json.dumps(config) + "\n"}
    live["metadata"]["managedFields"] = apply.created(
        live, core_v1.ConfigMap, manager="kubectl-client-side-apply", api_version="v1", time=T1
    )
    wanted = {**config, "data": {"k": "2"}}
    tree = applied(live, wanted, manager="kubectl")
    assert tree["data"] == {"k": "2"}
    last = tree["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"]
    assert json.loads(last) == wanted
    with pytest.raises(errors.StatusError, match="1 conflict"):
        applied(live, wanted, manager="other")


def test_an_object_with_unknown_past() -> None:
    live = deployment(replicas=1, paused=True)
    tree = applied(live, deployment(replicas=1))
    assert owners(tree)["before-first-apply"] == {"f:spec": {"f:replicas": {}, "f:paused": {}}}


def test_list_keys_have_defaults() -> None:
    live: dict[str, Any] = {
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"},
        "spec": {"ports": [{"port": 80, "protocol": "TCP", "targetPort": 80}, {"port": 80, "protocol": "UDP"}]},
    }  # fmt: skip
    config = {**live, "spec": {"ports": [{"port": 80, "targetPort": 8080}]}}
    tree = applied(live, config, force=True)
    assert tree["spec"]["ports"] == [
        {"port": 80, "protocol": "TCP", "targetPort": 8080},
        {"port": 80, "protocol": "UDP"},
    ]


def test_ignored_fields_and_managed_fields_in_the_configuration() -> None:
    config = {**deployment(replicas=1), "status": {"replicas": 5}}
    tree = applied(None, config, ignore=("status",))
    assert "f:status" not in owners(tree)["a"]
    config["metadata"] = {"name": "web", "managedFields": []}
    with pytest.raises(errors.StatusError, match=r"metadata\.managedFields must be nil"):
        applied(None, config)


names = st.lists(st.sampled_from("abcdef"), unique=True, max_size=5)


@given(names, names, names)
def test_two_appliers_share_a_keyed_list(first: list[str], second: list[str], again: list[str]) -> None:
    def config(listed: list[str]) -> dict[str, Any]:
        return deployment(template=template(*({"name": name} for name in listed)))

    tree = applied(None, config(first), manager="a", time=T1)
    tree = applied(tree, config(second), manager="b", time=T1)
    tree = applied(tree, config(again), manager="a", time=T2)
    pod_spec = tree.get("spec", {}).get("template", {}).get("spec", {})
    result = [c["name"] for c in pod_spec.get("containers", [])]
    assert set(result) == set(second) | set(again)
    assert [name for name in result if name in again] == again


def test_the_last_of_ones_metadata_does_not_take_the_name_along() -> None:
    config = deployment(replicas=1)
    with_finalizer = {**config, "metadata": {"name": "web", "finalizers": ["example.org/a"], "labels": {"x": "y"}}}
    tree = applied(applied(None, with_finalizer), config)
    assert tree["metadata"]["name"] == "web"
    assert not tree["metadata"].get("finalizers")
    assert owners(tree) == {"a": {"f:spec": {"f:replicas": {}}}}


def test_the_books_are_in_upstreams_order() -> None:
    config = deployment(template=template({"name": "c", "image": "i"}), replicas=1)
    config["metadata"]["labels"] = {"z": "1", "b": "2"}
    fields = owners(applied(None, config))["a"]
    assert json.dumps(fields).replace(" ", "") == (
        '{"f:metadata":{"f:labels":{"f:b":{},"f:z":{}}},"f:spec":{"f:replicas":{},"f:template":{"f:spec":'
        '{"f:containers":{"k:{\\"name\\":\\"c\\"}":{".":{},"f:image":{},"f:name":{}}}}}}}'
    )
