from __future__ import annotations

import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pybernetes.api import apply, codecs
from pybernetes.api.apply import fieldset
from pybernetes.api.types import apps_v1, core_v1, meta_v1

T1, T2 = "2026-01-01T00:00:00Z", "2026-01-01T00:00:05Z"
DATA = st.dictionaries(st.sampled_from("abc"), st.sampled_from("12"), min_size=1)


def config_map(**data: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "c", "namespace": "d", "uid": "u"},
        "data": data,
    }


def create(tree: dict[str, Any], kind: Any = core_v1.ConfigMap, manager: str = "one") -> dict[str, Any]:
    entries = apply.created(tree, kind, manager=manager, api_version="v1", time=T1)
    return {**tree, "metadata": {**tree["metadata"], "managedFields": entries}}


def update(old: dict[str, Any], new: dict[str, Any], manager: str, **more: Any) -> list[dict[str, Any]]:
    return apply.updated(old, new, core_v1.ConfigMap, manager=manager, api_version="v1", time=T2, **more)


def test_creator_owns_what_it_wrote() -> None:
    entries = create(config_map(a="1"))["metadata"]["managedFields"]
    assert entries == [
        {
            "manager": "one",
            "operation": "Update",
            "apiVersion": "v1",
            "time": T1,
            "fieldsType": "FieldsV1",
            "fieldsV1": {"f:data": {".": {}, "f:a": {}}},
        }
    ]


def test_deployment_as_upstream_writes_it() -> None:
    tree = codecs.to_tree(
        codecs.from_tree(
            apps_v1.Deployment,
            {
                "metadata": {"name": "web", "labels": {"app": "web"}},
                "spec": {
                    "replicas": 3,
                    "selector": {"matchLabels": {"app": "web"}},
                    "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%"}},
                    "template": {
                        "metadata": {"labels": {"app": "web"}},
                        "spec": {
                            "containers": [{"name": "web", "image": "busybox", "resources": {}}],
                            "securityContext": {},
                        },
                    },
                },
            },
        )
    )  # fmt: skip
    (entry,) = apply.created(tree, apps_v1.Deployment, manager="kubectl-create", api_version="apps/v1", time=T1)
    assert entry["fieldsV1"] == {
        "f:metadata": {"f:labels": {".": {}, "f:app": {}}},
        "f:spec": {
            "f:replicas": {},
            "f:selector": {},
            "f:strategy": {"f:rollingUpdate": {".": {}, "f:maxSurge": {}}, "f:type": {}},
            "f:template": {
                "f:metadata": {"f:labels": {".": {}, "f:app": {}}},
                "f:spec": {
                    "f:containers": {
                        'k:{"name":"web"}': {".": {}, "f:image": {}, "f:name": {}, "f:resources": {}},
                    },
                    "f:securityContext": {},
                },
            },
        },
    }


def test_changed_fields_move_to_the_writer() -> None:
    old = create(config_map(a="1", b="1"))
    entries = update(old, {**old, "data": {"a": "2", "b": "1", "c": "3"}}, "two")
    assert [(e["manager"], e["time"], e["fieldsV1"]) for e in entries] == [
        ("one", T1, {"f:data": {".": {}, "f:b": {}}}),
        ("two", T2, {"f:data": {"f:a": {}, "f:c": {}}}),
    ]


def test_removed_fields_belong_to_nobody() -> None:
    old = create(config_map(a="1", b="1"))
    (entry,) = update(old, {**old, "data": {"a": "1"}}, "two")
    assert entry["fieldsV1"] == {"f:data": {".": {}, "f:a": {}}}
    assert entry["time"] == T1


def test_no_change_keeps_the_books() -> None:
    old = create(config_map(a="1"))
    assert update(old, copy.deepcopy(old), "two") == old["metadata"]["managedFields"]


def test_the_server_s_own_metadata_is_not_owned() -> None:
    old = create(config_map(a="1"))
    new = {**old, "metadata": {**old["metadata"], "resourceVersion": "7", "generation": 2}}
    assert update(old, new, "two") == old["metadata"]["managedFields"]


def test_subresources_keep_their_own_entry() -> None:
    old = create(config_map(a="1"))
    entries = update(old, {**old, "data": {"a": "2"}}, "one", subresource="status")
    assert [(e["manager"], e.get("subresource")) for e in entries] == [("one", None), ("one", "status")]


def test_a_client_can_reset_and_rewrite_the_books() -> None:
    old = create(config_map(a="1"))
    reset = {**old, "metadata": {**old["metadata"], "managedFields": [{}]}}
    assert update(old, reset, "two") == []
    renamed = [{**old["metadata"]["managedFields"][0], "manager": "new"}]
    given = {**old, "metadata": {**old["metadata"], "managedFields": renamed}}
    assert [e["manager"] for e in update(old, given, "two")] == ["new"]
    broken = [{**renamed[0], "fieldsV1": {"nonsense": {}}}]
    given = {**old, "metadata": {**old["metadata"], "managedFields": broken}}
    assert [e["manager"] for e in update(old, given, "two")] == ["one"]


def test_what_a_client_says_is_written_in_order() -> None:
    old = create(config_map(a="1", b="1"))
    said = {**old["metadata"]["managedFields"][0], "fieldsV1": {"f:data": {"f:b": {}, ".": {}, "f:a": {}}}}
    (entry,) = update(old, {**old, "metadata": {**old["metadata"], "managedFields": [said]}}, "two")
    assert codecs.encode(entry["fieldsV1"]) == b'{"f:data":{".":{},"f:a":{},"f:b":{}}}'


@given(st.lists(st.tuples(st.sampled_from("mno"), DATA, st.sampled_from(["", "status"])), max_size=6))
def test_a_field_belongs_to_who_wrote_it_last(writes: list[tuple[str, dict[str, str], str]]) -> None:
    tree = create(config_map(a="0"))
    owners = {(): ("one", ""), ("f:a",): ("one", "")}
    for number, (manager, data, subresource) in enumerate(writes):
        before = tree["data"]
        new = {**tree, "data": data}
        how: dict[str, Any] = {"manager": manager, "time": f"2026-01-01T00:01:0{number}Z", "subresource": subresource}
        entries = apply.updated(tree, new, core_v1.ConfigMap, api_version="v1", **how)
        objects = (codecs.from_tree(core_v1.ConfigMap, one) for one in (tree, new))
        assert codecs.encode(entries) == codecs.encode(
            apply.updated(*objects, core_v1.ConfigMap, api_version="v1", **how)
        )
        for key in before.keys() - data.keys():
            del owners[(f"f:{key}",)]
        owners |= {(f"f:{key}",): (manager, subresource) for key in data if data[key] != before.get(key)}
        assert owners == {
            path[1:]: (entry["manager"], entry.get("subresource", ""))
            for entry in entries
            for path in fieldset.paths(entry["fieldsV1"])
        }
        in_order = [{**entry, "fieldsV1": fieldset.ordered(entry["fieldsV1"])} for entry in entries]
        assert codecs.encode(entries) == codecs.encode(in_order)
        tree = {**new, "metadata": {**new["metadata"], "managedFields": entries}}


def test_who_writes_his_own_fields_again_changes_only_the_time() -> None:
    old = create(config_map(a="1"))
    (entry,) = old["metadata"]["managedFields"]
    assert update(old, {**old, "data": {"a": "2"}}, "one") == [{**entry, "time": T2}]


def test_an_object_carries_the_fields_as_they_are_written() -> None:
    entries = create(config_map(a="1"))["metadata"]["managedFields"]
    obj = core_v1.ConfigMap(metadata=meta_v1.ObjectMeta(managedFields=apply.typed(entries)), data={"a": "1"})
    assert codecs.to_tree(obj)["metadata"]["managedFields"] == entries
    assert codecs.from_tree(core_v1.ConfigMap, codecs.to_tree(obj)) == obj
    new = codecs.copy(obj)
    new.data["a"] = "2"
    (entry,) = apply.updated(obj, new, core_v1.ConfigMap, manager="one", api_version="v1", time=T2)
    assert entry["fieldsV1"] == entries[0]["fieldsV1"]
    new.metadata.managedFields = codecs.decode(
        list[meta_v1.ManagedFieldsEntry], b'[{"manager":"m","operation":"Update","fieldsV1":null}]'
    )
    assert apply.updated(obj, new, core_v1.ConfigMap, manager="one", api_version="v1", time=T2) == [entry]


def test_an_object_without_books_starts_none() -> None:
    assert update(config_map(a="1"), config_map(a="2"), "two") == []


def test_old_updaters_are_put_together() -> None:
    tree = create(config_map(k0="0"), manager="m0")
    for number in range(1, 13):
        new = {**tree, "data": {**tree["data"], f"k{number}": "x"}}
        entries = apply.updated(
            tree, new, core_v1.ConfigMap, manager=f"m{number}", api_version="v1", time=f"2026-01-01T00:01:{number:02}Z"
        )
        tree = {**new, "metadata": {**new["metadata"], "managedFields": entries}}
    managers = [e["manager"] for e in tree["metadata"]["managedFields"]]
    assert len(managers) == 10
    assert managers[0] == "ancient-changes"
    assert set(tree["metadata"]["managedFields"][0]["fieldsV1"]["f:data"]) == {".", "f:k0", "f:k1", "f:k2", "f:k3"}


def test_custom_resources_merge_by_key() -> None:
    tree = {"metadata": {"name": "x"}, "spec": {"a": {"b": 1}, "l": [1, 2]}}
    (entry,) = apply.created(tree, dict, manager="m", api_version="e.io/v1", time=T1)
    assert entry["fieldsV1"] == {"f:spec": {".": {}, "f:a": {".": {}, "f:b": {}}, "f:l": {}}}
