from __future__ import annotations

from typing import Any

import pytest

from pybernetes.api import codecs
from pybernetes.api.types import storage_v1
from pybernetes.apiserver.resources.storage import storageclasses


def term(*values: str) -> dict[str, Any]:
    return {"matchLabelExpressions": [{"key": "k", "values": list(values)}]}


@pytest.mark.parametrize(
    ("terms", "expected"),
    [
        ([term("v")], []),
        ([{}], ['allowedTopologies[0].matchLabelExpressions: Duplicate value: ""']),
        ([term("a", "b"), term("b", "a")], ['allowedTopologies[1].matchLabelExpressions: Duplicate value: ""']),
        ([term()], ["allowedTopologies[0].matchLabelExpressions[0].values: Required value"]),
    ],
)
def test_topologies(terms: list[Any], expected: list[str]) -> None:
    storage = codecs.from_tree(
        storage_v1.StorageClass, {"metadata": {"name": "s"}, "provisioner": "a.b/c", "allowedTopologies": terms}
    )
    storageclasses.default(storage)
    assert [str(problem) for problem in storageclasses.validate(storage)] == expected
