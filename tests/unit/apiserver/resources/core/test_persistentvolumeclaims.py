from __future__ import annotations

from typing import Any

import pytest

from pybernetes.api import codecs
from pybernetes.api.types import core_v1
from pybernetes.apiserver.resources.core import persistentvolumeclaims, persistentvolumes

ANNOTATION = persistentvolumes.CLASS_ANNOTATION


def claim(
    *, status: Any = None, annotations: Any = None, size: str = "1Gi", **spec: Any
) -> core_v1.PersistentVolumeClaim:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}, **spec}
    meta = {"name": "c", "annotations": annotations or {}}
    made = codecs.from_tree(core_v1.PersistentVolumeClaim, {"metadata": meta, "spec": spec, "status": status or {}})
    persistentvolumeclaims.default(made)
    return made


BOUND = {"phase": "Bound", "capacity": {"storage": "1Gi"}}
IMMUTABLE = "spec: Forbidden: spec is immutable after creation except"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (claim(), claim(volumeName="v"), []),
        (claim(volumeName="v"), claim(volumeName="w"), [IMMUTABLE]),
        (claim(), claim(storageClassName="fast"), []),
        (claim(storageClassName="slow"), claim(storageClassName="fast"), [IMMUTABLE]),
        (claim(annotations={ANNOTATION: "slow"}), claim(storageClassName="slow"), []),
        (
            claim(annotations={ANNOTATION: "slow"}),
            claim(annotations={ANNOTATION: "fast"}),
            [f'metadata.annotations.{ANNOTATION}: Invalid value: "fast": field is immutable'],
        ),
        (claim(status=BOUND), claim(status=BOUND, size="2Gi"), []),
        (claim(), claim(size="2Gi"), [IMMUTABLE]),
        (
            claim(status=BOUND, size="2Gi"),
            claim(status=BOUND, size="1Gi"),
            ["spec.resources.requests.storage: Forbidden: field can not be less than status.capacity"],
        ),
        (
            claim(status={**BOUND, "currentVolumeAttributesClassName": "gold"}, volumeAttributesClassName="gold"),
            claim(status={**BOUND, "currentVolumeAttributesClassName": "gold"}),
            ["spec.volumeAttributesClassName: Forbidden: update to nil is forbidden when"],
        ),
    ],
)
def test_updates(old: core_v1.PersistentVolumeClaim, new: core_v1.PersistentVolumeClaim, expected: list[str]) -> None:
    problems = [str(problem) for problem in persistentvolumeclaims.validate_update(new, old)]
    assert len(problems) == len(expected)
    assert all(problem.startswith(start) for problem, start in zip(problems, expected, strict=True))


def test_status() -> None:
    states = {"storage": "NodeResizePending", "cpu": "Gone"}
    status = {"capacity": {"storage": "-1"}, "allocatedResourceStatuses": states}
    problems = persistentvolumeclaims.validate_status(claim(status=status), claim())
    assert [str(problem).partition(":")[0] for problem in problems] == [
        "status.capacity[storage]",
        "status.allocatedResourceStatuses",
        "status.allocatedResourceStatuses",
    ]


def test_the_secret_for_expansion_may_be_added_to_a_volume_and_nothing_else() -> None:
    def volume(**csi: Any) -> core_v1.PersistentVolume:
        source = {"driver": "d", "volumeHandle": "h", **csi}
        return codecs.from_tree(core_v1.PersistentVolume, {"metadata": {"name": "v"}, "spec": {"csi": source}})

    secret = {"name": "s", "namespace": "n"}
    assert persistentvolumes.validate_update(volume(controllerExpandSecretRef=secret), volume()) == []
    (problem,) = persistentvolumes.validate_update(volume(volumeHandle="other"), volume())
    assert str(problem).startswith("spec.persistentvolumesource: Forbidden: spec.persistentvolumesource is immutable")


def test_each_source_is_filled_in_from_the_other() -> None:
    old = claim(dataSource={"kind": "PersistentVolumeClaim", "name": "p"})
    assert old.spec.dataSourceRef is not None
    assert (old.spec.dataSourceRef.kind, old.spec.dataSourceRef.name) == ("PersistentVolumeClaim", "p")
    new = claim(dataSourceRef={"kind": "PersistentVolumeClaim", "name": "p"})
    assert new.spec.dataSource is not None
    other = claim(dataSource={"apiGroup": "x.io", "kind": "Any", "name": "p"})
    assert (other.spec.dataSource, other.spec.dataSourceRef) == (None, None)
