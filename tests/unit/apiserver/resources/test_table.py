from __future__ import annotations

from typing import Any

import pytest

from pybernetes.apiserver.resources import kind, table

NOW = 1_800_000_000.0


@pytest.mark.parametrize("served", table.kinds(), ids=lambda k: k.resource.group_resource)
def test_every_kind_takes_an_empty_object(served: kind.Kind[Any]) -> None:
    obj = served.resource.type()
    obj.metadata.name = "x"
    served.default(obj)
    served.prepare_create(obj)
    served.default(obj)
    served.prepare_update(obj, obj)
    served.validate(obj)
    served.validate_update(obj, obj)
    served.validate_status(obj, obj)
    list(served.warnings(obj))
    assert served.row is not None or served.resource.name == "bindings"
    if served.row is not None:
        cells = list(served.row(obj, NOW))
        assert len(cells) == len(served.columns)
        assert all(isinstance(cell, str | int | bool) for cell in cells)
    if served.selectable is not None:
        assert set(served.selectable(obj)) == set(served.field_labels)


@pytest.mark.parametrize("served", [one for one in table.kinds() if one.row], ids=lambda k: k.resource.group_resource)
def test_every_kind_has_a_row_for_a_bookmark(served: kind.Kind[Any]) -> None:
    assert served.row is not None
    assert len(served.row(served.resource.type(), NOW)) == len(served.columns)


def test_each_resource_once_and_in_discovery_order() -> None:
    names = [(k.resource.group, k.resource.version, k.resource.name) for k in table.kinds()]
    assert len(set(names)) == len(names)
    core = [name for group, _, name in names if not group]
    assert core == sorted(core)


def test_all_kinds_with_a_name_column_first_but_events() -> None:
    for served in table.kinds():
        if served.columns and served.resource.kind != "Event":
            assert served.columns[0] == kind.NAME
