from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybernetes.api import errors
from pybernetes.api.patch import strategic
from pybernetes.api.types import apps_v1, core_v1


def pod(*containers: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return {"spec": {"containers": list(containers), **spec}}


def test_lists_merge_by_key_and_patched_elements_come_first() -> None:
    tree = pod({"name": "a", "image": "1"}, {"name": "b", "image": "1"})
    patch = pod({"name": "b", "image": "2"}, {"name": "c", "image": "3"})
    result = strategic.apply(tree, patch, core_v1.Pod)
    assert result == pod({"name": "a", "image": "1"}, {"name": "b", "image": "2"}, {"name": "c", "image": "3"})
    assert tree["spec"]["containers"][1]["image"] == "1"


def test_delete_element() -> None:
    tree = pod({"name": "a"}, {"name": "b"})
    assert strategic.apply(tree, pod({"name": "a", "$patch": "delete"}), core_v1.Pod) == pod({"name": "b"})


def test_replace_list() -> None:
    tree = pod({"name": "a"}, {"name": "b"})
    patch = pod({"$patch": "replace"}, {"name": "c"})
    assert strategic.apply(tree, patch, core_v1.Pod) == pod({"name": "c"})


def test_replace_and_delete_object() -> None:
    tree = {"metadata": {"labels": {"a": "1"}, "annotations": {"x": "y"}}}
    patch = {"metadata": {"labels": {"$patch": "replace", "b": "2"}, "annotations": {"$patch": "delete"}}}
    assert strategic.apply(tree, patch, core_v1.Pod) == {"metadata": {"labels": {"b": "2"}, "annotations": {}}}


def test_primitive_lists() -> None:
    tree = {"metadata": {"finalizers": ["a", "b"]}}
    merged = strategic.apply(tree, {"metadata": {"finalizers": ["c", "b"]}}, core_v1.Pod)
    assert merged == {"metadata": {"finalizers": ["c", "a", "b"]}}
    patch = {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"]}}
    assert strategic.apply(tree, patch, core_v1.Pod) == {"metadata": {"finalizers": ["b"]}}


def test_element_order() -> None:
    tree = pod({"name": "a"}, {"name": "s"}, {"name": "b"})
    patch = {"spec": {"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}]}}
    assert [c["name"] for c in strategic.apply(tree, patch, core_v1.Pod)["spec"]["containers"]] == ["s", "b", "a"]
    patch = {
        "spec": {
            "$setElementOrder/containers": [{"name": "a"}, {"name": "n"}, {"name": "b"}],
            "containers": [{"name": "n", "image": "x"}],
        }
    }
    names = [c["name"] for c in strategic.apply(tree, patch, core_v1.Pod)["spec"]["containers"]]
    assert names == ["a", "n", "s", "b"]


def test_element_order_that_contradicts_the_patch() -> None:
    patch = {"spec": {"$setElementOrder/containers": [{"name": "a"}], "containers": [{"name": "b"}]}}
    with pytest.raises(errors.StatusError, match="The order in patch list"):
        strategic.apply(pod({"name": "a"}), patch, core_v1.Pod)


def test_retain_keys() -> None:
    tree = {"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}}
    patch = {"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}
    assert strategic.apply(tree, patch, apps_v1.Deployment) == {"spec": {"strategy": {"type": "Recreate"}}}
    patch = {"spec": {"strategy": {"$retainKeys": ["rollingUpdate"], "type": "Recreate"}}}
    with pytest.raises(errors.StatusError, match="invalid patch format of retainKeys"):
        strategic.apply(tree, patch, apps_v1.Deployment)


def test_volume_source_is_exchanged() -> None:
    tree = pod(volumes=[{"name": "v", "emptyDir": {}}])
    patch = {"spec": {"volumes": [{"name": "v", "$retainKeys": ["name", "hostPath"], "hostPath": {"path": "/x"}}]}}
    result = strategic.apply(tree, patch, core_v1.Pod)
    assert result["spec"]["volumes"] == [{"name": "v", "hostPath": {"path": "/x"}}]


def test_null_removes_and_atomic_lists_replace() -> None:
    tree = pod({"name": "a", "command": ["x", "y"], "tty": True})
    patch = pod({"name": "a", "command": ["z"], "tty": None, "stdin": None})
    assert strategic.apply(tree, patch, core_v1.Pod) == pod({"name": "a", "command": ["z"]})


def test_new_parts_lose_their_directives_and_nulls() -> None:
    patch = {"spec": {"volumes": [{"name": "v", "$retainKeys": ["name"]}, {"name": "w", "$patch": "delete"}]}}
    assert strategic.apply({"spec": {}}, patch, core_v1.Pod) == {"spec": {"volumes": [{"name": "v"}]}}


@pytest.mark.parametrize(
    ("patch", "words"),
    [
        ({"spec": {"$patch": "burn"}}, "unknown patch type: burn in map: map"),
        ({"spec": {"containers": [{"image": "x"}]}}, "does not contain declared merge key: name"),
        ({"spec": {"$setElementOrder/containers": "x"}}, "expected a .*interface"),
        ([], "invalid JSON document"),
    ],
)
def test_senseless_patches(patch: Any, words: str) -> None:
    with pytest.raises(errors.StatusError, match=words):
        strategic.apply(pod({"name": "a"}), patch, core_v1.Pod)


def test_custom_resources_have_none() -> None:
    with pytest.raises(errors.StatusError, match="strategic merge patch format is not supported"):
        strategic.apply({}, {}, dict)


names = st.lists(st.sampled_from("abcdef"), unique=True, max_size=6)


@given(names, names)
def test_merging_by_key_loses_and_invents_nothing(live: list[str], patch: list[str]) -> None:
    tree = pod(*({"name": name, "image": "old"} for name in live))
    change = pod(*({"name": name, "image": "new"} for name in patch))
    before = copy.deepcopy((tree, change))
    result = strategic.apply(tree, change, core_v1.Pod)["spec"]["containers"]
    assert (tree, change) == before
    images = {c["name"]: c["image"] for c in result}
    assert images == {name: "new" if name in patch else "old" for name in live + patch}
    assert len(result) == len(images)
    assert [c["name"] for c in result if c["name"] in patch] == patch
    assert [c["name"] for c in result if c["name"] not in patch] == [name for name in live if name not in patch]


def test_what_is_nested_deeply_is_merged_like_anything_else() -> None:
    def nested(innermost: dict[str, Any]) -> dict[str, Any]:
        for _ in range(300):
            innermost = {"a": innermost}
        return {"unknown": innermost}

    patch = nested({"kept": 1, "gone": None})
    assert strategic.apply({}, patch, core_v1.Pod) == nested({"kept": 1})
