"""Pods of one shape: what makes them alike, and that this is seen without working the shape out."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from pybernetes.api import codecs, quantity
from pybernetes.api.types import core_v1, meta_v1
from pybernetes.scheduler import shape

Q = quantity.Quantity.parse


def pod() -> core_v1.Pod:
    resources = core_v1.ResourceRequirements(requests={"cpu": Q("1")})
    container = core_v1.Container(name="c", image="i", resources=resources)
    meta = meta_v1.ObjectMeta(name="p", namespace="default", uid="u", labels={"app": "a"})
    return core_v1.Pod(metadata=meta, spec=core_v1.PodSpec(containers=[container]))


def claim(name: str) -> core_v1.Volume:
    return core_v1.Volume(name="v", persistentVolumeClaim=core_v1.PersistentVolumeClaimVolumeSource(claimName=name))


def token(name: str) -> core_v1.Volume:
    return core_v1.Volume(name=name, projected=core_v1.ProjectedVolumeSource())


def set_status(one: core_v1.Pod, **about: object) -> None:
    one.status.containerStatuses.append(core_v1.ContainerStatus(name="c", **about))  # type: ignore[arg-type]


OTHER: dict[str, Callable[[core_v1.Pod], object]] = {
    "labels": lambda p: p.metadata.labels.update(app="b"),
    "annotations": lambda p: p.metadata.annotations.update(a="b"),
    "namespace": lambda p: setattr(p.metadata, "namespace", "n"),
    "requests": lambda p: p.spec.containers[0].resources.requests.update(cpu=Q("2")),
    "images": lambda p: setattr(p.spec.containers[0], "image", "j"),
    "ports": lambda p: p.spec.containers[0].ports.append(core_v1.ContainerPort(containerPort=1, hostPort=1)),
    "init containers": lambda p: p.spec.initContainers.append(core_v1.Container(name="i", image="i")),
    "overhead": lambda p: p.spec.overhead.update(cpu=Q("1")),
    "priority": lambda p: setattr(p.spec, "priority", 1),
    "node selector": lambda p: p.spec.nodeSelector.update(a="b"),
    "tolerations": lambda p: p.spec.tolerations.append(core_v1.Toleration(key="a")),
    "profile": lambda p: setattr(p.spec, "schedulerName", "mine"),
    "claimed volume": lambda p: p.spec.volumes.append(claim("x")),
    "image volume": lambda p: p.spec.volumes.append(
        core_v1.Volume(name="v", image=core_v1.ImageVolumeSource(reference="k"))
    ),
    "claimed device": lambda p: p.spec.resourceClaims.append(core_v1.PodResourceClaim(name="d", resourceClaimName="d")),
    "leaving": lambda p: setattr(p.metadata, "deletionTimestamp", "2026-01-01T00:00:00Z"),
    "resized": lambda p: set_status(
        p, resources=core_v1.ResourceRequirements(requests={"cpu": Q("3")}), allocatedResources={"cpu": Q("3")}
    ),
}
SAME: dict[str, Callable[[core_v1.Pod], object]] = {
    "name": lambda p: setattr(p.metadata, "name", "q"),
    "uid": lambda p: setattr(p.metadata, "uid", "w"),
    "node": lambda p: setattr(p.spec, "nodeName", "n1"),
    "token": lambda p: p.spec.volumes.append(token("kube-api-access-1")),
    "command": lambda p: p.spec.containers[0].command.append("sleep"),
    "phase": lambda p: setattr(p.status, "phase", "Running"),
    "started": lambda p: set_status(p, image="i"),
}


def changed(how: Callable[[core_v1.Pod], object]) -> core_v1.Pod:
    found = codecs.copy(pod())
    how(found)
    return found


@pytest.mark.parametrize("what", OTHER)
def test_what_tells_pods_apart(what: str) -> None:
    one = changed(OTHER[what])
    assert not shape.alike(pod(), one)
    assert shape.of(pod()).key != shape.of(one).key


@pytest.mark.parametrize("what", SAME)
def test_what_does_not(what: str) -> None:
    one = changed(SAME[what])
    assert shape.alike(pod(), one)
    assert shape.of(pod()).key == shape.of(one).key


def test_alike_is_never_said_of_other_shapes() -> None:
    every = [changed(how) for how in (*OTHER.values(), *SAME.values())]
    for one, other in itertools.combinations(every, 2):
        assert not shape.alike(one, other) or shape.of(one).key == shape.of(other).key


def test_two_pods_with_a_claim_are_two_of_a_kind() -> None:
    one, other = changed(OTHER["claimed volume"]), changed(OTHER["claimed volume"])
    other.metadata.uid = "w"
    assert not shape.alike(one, other)


def test_the_shape_of_a_placed_pod_does_not_name_its_node() -> None:
    assert not shape.of(changed(SAME["node"])).spec.nodeName
