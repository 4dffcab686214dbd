from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pybernetes.api import codecs
from pybernetes.api.apply import walk
from pybernetes.api.types import core_v1, meta_v1

NAMES = st.text("abc", min_size=1, max_size=2)
CONTAINERS = st.builds(
    core_v1.Container,
    name=NAMES,
    image=NAMES,
    env=st.lists(st.builds(core_v1.EnvVar, name=NAMES, value=NAMES), max_size=2),
    ports=st.lists(st.builds(core_v1.ContainerPort, containerPort=st.integers(1, 3)), max_size=2),
)
PODS = st.builds(
    core_v1.Pod,
    metadata=st.builds(meta_v1.ObjectMeta, name=NAMES, labels=st.dictionaries(NAMES, NAMES, max_size=2)),
    spec=st.builds(core_v1.PodSpec, containers=st.lists(CONTAINERS, max_size=2), nodeName=NAMES),
)


@given(PODS)
def test_what_an_object_adds_is_what_changes_from_an_empty_one(pod: core_v1.Pod) -> None:
    changed, _ = walk.changes(walk.empty(core_v1.Pod), codecs.to_tree(pod), core_v1.Pod)
    assert walk.added(pod, core_v1.Pod) == changed
    assert walk.added(codecs.to_tree(pod), core_v1.Pod) == changed


@given(PODS, PODS)
def test_what_changes_between_objects_is_what_changes_between_their_trees(old: core_v1.Pod, new: core_v1.Pod) -> None:
    between_trees = walk.changes(codecs.to_tree(old), codecs.to_tree(new), core_v1.Pod)
    assert walk.changes(old, new, core_v1.Pod) == between_trees


def test_large_members_are_not_remembered() -> None:
    big = core_v1.ConfigMap(data={f"key-{number}": "x" * 100 for number in range(100)})
    assert set(walk.added(big, core_v1.ConfigMap)["f:data"]) >= {"f:key-0", "f:key-99"}
