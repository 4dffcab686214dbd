from pybernetes.api import strictness
from pybernetes.api.types import core_v1


def test_unknown_fields_are_found_with_their_paths():
    tree = {"spec": {"containers": [{"name": "a", "imagge": "x"}], "nodeSelector": {"any": "key"}}, "extra": 1}
    assert strictness.unknown_fields(core_v1.Pod, tree) == ["spec.containers[0].imagge", "extra"]


def test_opaque_parts_may_hold_anything():
    assert strictness.unknown_fields(core_v1.ConfigMap, {"data": {"free": "x"}}) == []


def test_duplicate_fields_are_found_once_with_their_paths():
    document = b'{"a":1,"b":[{"c":1,"c":2,"c":3},{"c":1}],"a":2}'
    assert strictness.duplicates(document, is_yaml=False) == [
        'duplicate field "b[0].c"',
        'duplicate field "a"',
    ]
    assert strictness.has_duplicates(document)


def test_what_is_no_json_has_no_duplicates():
    assert strictness.duplicates(b"a: 1", is_yaml=False) == []
