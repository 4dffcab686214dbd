"""Claims that are to grow hear who makes them grow."""

from __future__ import annotations

from typing import Any

import pytest

from pybernetes.api import codecs
from pybernetes.api.types import core_v1
from pybernetes.controllers.volume import expanding
from tests.fakes.cluster import FakeCluster


def claim(asked: str = "2Gi", had: str = "1Gi", phase: str = "Bound") -> core_v1.PersistentVolumeClaim:
    tree = {
        "metadata": {"name": "c", "namespace": "default", "uid": "uid-c"},
        "spec": {"volumeName": "v", "resources": {"requests": {"storage": asked}}},
        "status": {"phase": phase, "capacity": {"storage": had}},
    }
    return codecs.from_tree(core_v1.PersistentVolumeClaim, tree)


def volume(source: dict[str, Any], uid: str = "uid-c") -> core_v1.PersistentVolume:
    reference = {"namespace": "default", "name": "c", "uid": uid}
    tree = {"metadata": {"name": "v"}, "spec": {"claimRef": reference} | source}
    return codecs.from_tree(core_v1.PersistentVolume, tree)


CSI = {"csi": {"driver": "disks.example.com", "volumeHandle": "h"}}
OLD = {"awsElasticBlockStore": {"volumeID": "vol-1"}}
TOLD_OLD = "CSI migration enabled for kubernetes.io/aws-ebs; waiting for external resizer to expand the pvc"


@pytest.mark.parametrize(
    ("one", "of", "told", "resizer"),
    [
        (claim(), volume(CSI), expanding.EXTERNAL, None),
        (claim(), volume({"hostPath": {"path": "/d"}}), expanding.EXTERNAL, None),
        (claim(), volume(OLD), TOLD_OLD, "ebs.csi.aws.com"),
        (claim(had="2Gi"), volume(CSI), None, None),
        (claim(had="2048Mi"), volume(CSI), None, None),
        (claim(phase="Pending"), volume(CSI), None, None),
        (claim(), volume(CSI, uid="another"), None, None),
    ],
)
async def test_who_expands(
    one: core_v1.PersistentVolumeClaim, of: core_v1.PersistentVolume, told: str | None, resizer: str | None
) -> None:
    async with FakeCluster(only=expanding.NAME) as cluster:
        cluster.api.seed(of, one)
        await cluster.settled()
        assert cluster.events("ExternalExpanding") == ([] if told is None else [told])
        found = cluster.api.find(core_v1.PersistentVolumeClaim, "c", "default")
        assert found.metadata.annotations.get("volume.kubernetes.io/storage-resizer") == resizer
