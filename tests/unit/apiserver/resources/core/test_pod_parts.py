from __future__ import annotations

from typing import Any

import pytest

from pybernetes.api import codecs
from pybernetes.api.types import core_v1
from pybernetes.apiserver.resources.core import pod_parts, pods


def pod(cpu: str = "1", **spec: Any) -> core_v1.Pod:
    container = {"name": "c", "image": "i", "resources": {"requests": {"cpu": cpu}}}
    made = codecs.from_tree(core_v1.Pod, {"metadata": {"name": "p"}, "spec": {"containers": [container]} | spec})
    pods.default(made)
    return made


def debugger(name: str = "d", image: str = "busybox") -> dict[str, Any]:
    return {"name": name, "image": image, "terminationMessagePolicy": "File", "imagePullPolicy": "Always"}


def test_a_debugger_comes_and_nothing_else_changes() -> None:
    old, new = pod(), pod(cpu="2", ephemeralContainers=[debugger()])
    pod_parts.prepare_ephemeral(new, old)
    assert [container.name for container in new.spec.ephemeralContainers] == ["d"]
    assert new.spec.containers == old.spec.containers
    assert pod_parts.validate_ephemeral(new, old) == []


@pytest.mark.parametrize(
    ("after", "words"),
    [
        ([], 'existing ephemeral containers "d" may not be removed\n'),
        ([debugger(image="other")], 'existing ephemeral containers "d" may not be changed\n'),
    ],
)
def test_debuggers_stay(after: list[Any], words: str) -> None:
    (problem,) = pod_parts.validate_ephemeral(pod(ephemeralContainers=after), pod(ephemeralContainers=[debugger()]))
    assert str(problem).startswith(f"spec.ephemeralContainers: Forbidden: {words}")


def resized(new: core_v1.Pod, old: core_v1.Pod) -> list[str]:
    pod_parts.prepare_resize(new, old)
    return [str(problem) for problem in pod_parts.validate_resize(new, old)]


def test_more_cpu() -> None:
    new = pod("2", activeDeadlineSeconds=5)
    assert resized(new, pod()) == []
    assert new.spec.activeDeadlineSeconds is None
    assert new.spec.containers[0].resources.requests == {"cpu": "2"}


def test_what_resizing_may_not_do() -> None:
    gone = pod()
    gone.spec.containers[0].resources.requests = {}
    assert "spec.containers[0].resources.requests: Forbidden: resource requests cannot be removed" in resized(
        gone, pod()
    )
    two = pod(containers=[{"name": "c", "image": "i"}, {"name": "e", "image": "i"}])
    assert "spec.containers: Forbidden: containers may not be added or removed on resize" in resized(two, pod())
    renamed = pod(containers=[{"name": "e", "image": "i", "resources": {"requests": {"cpu": "1"}}}])
    assert resized(renamed, pod()) == [
        "spec.containers[0].name: Forbidden: containers may not be renamed or reordered on resize"
    ]
