from __future__ import annotations

from typing import Any

import pytest

from pybernetes.api.types import core_v1
from pybernetes.kubelet.containers import labels
from pybernetes.kubelet.pods import actions, state
from pybernetes.runtime import protocol
from tests.fakes import node as nodes

RUNNING, EXITED = protocol.ContainerState.RUNNING, protocol.ContainerState.EXITED
BOX = state.SandboxView(id="box", attempt=0, ready=True, created_at=1.0, ips=["10.0.0.2"])


def status(name: str, found: protocol.ContainerState, code: int = 0, **more: Any) -> protocol.ContainerStatus:
    return protocol.ContainerStatus(
        id=f"id-{name}", name=name, attempt=0, state=found, created_at=2.0, exit_code=code, **more
    )


def seen(*containers: protocol.ContainerStatus, box: state.SandboxView = BOX) -> state.PodState:
    return state.PodState(sandboxes=[box], containers=containers)


def plan(pod: core_v1.Pod, found: state.PodState, **verdicts: Any) -> actions.Actions:
    return actions.compute(pod, found, actions.Verdicts(**verdicts))


def test_a_new_pod_gets_a_sandbox_and_its_containers() -> None:
    made = plan(nodes.pod(), state.EMPTY)
    assert made.create_sandbox
    assert made.start == [0]


def test_a_new_pod_with_init_containers_starts_the_first_of_them() -> None:
    made = plan(nodes.pod(initContainers=[nodes.container("i")]), state.EMPTY)
    assert made.start_init == [0]
    assert made.start == []


def test_a_running_pod_needs_nothing() -> None:
    made = plan(nodes.pod(), seen(status("c", RUNNING)))
    assert made == actions.Actions(sandbox_id="box")


@pytest.mark.parametrize(
    ("policy", "code", "start", "kill_pod"),
    [
        ("Always", 0, [0], False),
        ("Always", 1, [0], False),
        ("OnFailure", 1, [0], False),
        ("OnFailure", 0, [], True),
        ("Never", 1, [], True),
    ],
)
def test_restart_policy(policy: str, code: int, start: list[int], kill_pod: bool) -> None:
    made = plan(nodes.pod(restartPolicy=policy), seen(status("c", EXITED, code)))
    assert (made.start, made.kill_pod) == (start, kill_pod)


def test_a_dead_sandbox_is_replaced_with_everything_in_it() -> None:
    box = state.SandboxView(id="box", attempt=3, ready=False, created_at=1.0)
    made = plan(nodes.pod(), seen(status("c", EXITED), box=box))
    assert (made.kill_pod, made.create_sandbox, made.attempt, made.start) == (True, True, 4, [0])


def test_a_pod_that_never_restarts_gets_no_second_sandbox() -> None:
    box = state.SandboxView(id="box", attempt=0, ready=False, created_at=1.0)
    made = plan(nodes.pod(restartPolicy="Never"), seen(status("c", EXITED), box=box))
    assert made.kill_pod
    assert not made.create_sandbox


def test_init_containers_in_turn() -> None:
    pod = nodes.pod(initContainers=[nodes.container("one"), nodes.container("two")])
    assert plan(pod, seen(status("one", RUNNING))).start_init == []
    assert plan(pod, seen(status("one", EXITED))).start_init == [1]
    done = plan(pod, seen(status("two", EXITED), status("one", EXITED)))
    assert (done.start_init, done.start) == ([], [0])
    assert plan(pod, seen(status("one", EXITED, 1))).start_init == [0]


def test_a_failed_init_container_ends_a_pod_that_never_restarts() -> None:
    pod = nodes.pod(restartPolicy="Never", initContainers=[nodes.container("one")])
    assert plan(pod, seen(status("one", EXITED, 1))).kill_pod


def test_a_sidecar_lets_the_next_one_start_once_it_has_started() -> None:
    sidecar = nodes.container("side", restartPolicy="Always", startupProbe=core_v1.Probe())
    pod = nodes.pod(initContainers=[sidecar])
    assert plan(pod, seen(status("side", RUNNING))).start == []
    started = plan(pod, seen(status("side", RUNNING)), startup={"id-side": actions.Verdict.SUCCESS})
    assert started.start == [0]


def test_a_sidecar_that_ended_starts_again_beside_the_containers() -> None:
    pod = nodes.pod(initContainers=[nodes.container("side", restartPolicy="Always")])
    made = plan(pod, seen(status("c", RUNNING), status("side", EXITED)))
    assert made.start_init == [0]
    assert made.start == []


def test_a_failed_liveness_probe_kills_and_restarts() -> None:
    made = plan(nodes.pod(), seen(status("c", RUNNING)), liveness={"id-c": actions.Verdict.FAILURE})
    [kill] = made.kill
    assert kill.why == "Container c failed liveness probe, will be restarted"
    assert made.start == [0]


def test_a_changed_definition_replaces_the_container() -> None:
    other = status("c", RUNNING, annotations={labels.HASH: "other"})
    made = plan(nodes.pod(restartPolicy="Never"), seen(other))
    assert made.kill[0].why == "Container c definition changed, will be restarted"
    assert made.start == [0]


def test_ended_containers_do_not_prove_that_a_pod_was_initialized() -> None:
    pod = nodes.pod(initContainers=[nodes.container("one")])
    assert plan(pod, seen(status("c", EXITED))).start_init == [0]
    again = plan(pod, seen(status("c", EXITED), status("one", EXITED)))
    assert (again.start_init, again.start) == ([], [0])


def test_a_dead_sidecar_starts_again_while_its_pod_restarts() -> None:
    sidecar = nodes.container("side", restartPolicy="Always")
    pod = nodes.pod(initContainers=[sidecar, nodes.container("one")])
    made = plan(pod, seen(status("c", EXITED), status("one", EXITED), status("side", EXITED)))
    assert (made.start_init, made.start) == ([0], [0])
