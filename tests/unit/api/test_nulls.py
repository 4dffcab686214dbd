"""Nulls where Go has zero values, and numbers that do not fit, in Go's words."""

from __future__ import annotations

from typing import Any

import pytest

from pybernetes.api import codecs, wording
from pybernetes.api.types import core_v1


def test_nulls_in_lists_and_maps_are_zero_values() -> None:
    tree = {"metadata": {"labels": {"a": None}}, "spec": {"containers": [None], "volumes": None}}
    pod = codecs.from_tree(core_v1.Pod, tree)
    assert pod.metadata.labels == {"a": ""}
    assert [container.name for container in pod.spec.containers] == [""]
    assert pod.spec.volumes == []


@pytest.mark.parametrize(
    ("port", "words"),
    [
        (2**40, "number 1099511627776 into Go struct field ContainerPort.spec.containers.ports.containerPort"),
        (1.5, "number 1.5 into Go struct field ContainerPort.spec.containers.ports.containerPort"),
        ("x", "string into Go struct field ContainerPort.spec.containers.ports.containerPort"),
    ],
)
def test_what_does_not_fit(port: Any, words: str) -> None:
    tree = {"spec": {"containers": [{"name": "c", "ports": [{"containerPort": port}]}]}}
    with pytest.raises(codecs.DecodeError) as caught:
        codecs.from_tree(core_v1.Pod, tree)
    assert wording.unmarshal(core_v1.Pod, str(caught.value), tree) == f"json: cannot unmarshal {words} of type int32"


def test_a_quantity_that_is_none() -> None:
    tree = {"spec": {"containers": [{"name": "c", "resources": {"requests": {"cpu": "x"}}}]}}
    with pytest.raises(codecs.DecodeError) as caught:
        codecs.from_tree(core_v1.Pod, tree)
    assert wording.unmarshal(core_v1.Pod, str(caught.value), tree).endswith("([eEinumkKMGTP]*[-+]?[0-9]*)$'")
