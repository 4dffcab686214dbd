from __future__ import annotations

from typing import Any

import pytest

from pybernetes.api import errors
from pybernetes.api.types import core_v1, meta_v1
from pybernetes.apiserver.resources.core import base64s, configmaps, secrets


def secret(**fields: Any) -> core_v1.Secret:
    made = core_v1.Secret(metadata=meta_v1.ObjectMeta(name="s", namespace="d"), **fields)
    secrets.default(made)
    return made


def problems(**fields: Any) -> list[str]:
    return [str(problem) for problem in secrets.validate(secret(**fields))]


def test_string_data_is_merged() -> None:
    made = secret(data={"a": "eA=="}, stringData={"a": "y", "b": "é"})
    assert made.data == {"a": "eQ==", "b": "w6k="}
    assert made.stringData == {}
    assert made.type == "Opaque"


@pytest.mark.parametrize(
    ("text", "offset"),
    [("!", 0), ("abc!", 3), ("abc", 0), ("YQ", 0), ("YQ=", 3), ("YWJj=", 4), ("YQ==YQ==", 4), ("abcda", 4)],
)
def test_broken_base64_says_where(text: str, offset: int) -> None:
    with pytest.raises(errors.StatusError) as caught:
        secret(data={"a": text})
    assert caught.value.code == 400
    assert str(caught.value) == (
        f'Secret in version "v1" cannot be handled as a Secret: illegal base64 data at input byte {offset}'
    )


def test_base64_may_be_folded() -> None:
    assert base64s.decode("YW\nJj\r\n") == b"abc"


def test_types_have_their_keys() -> None:
    assert problems(type="kubernetes.io/tls", data={"tls.crt": ""}) == ["data[tls.key]: Required value"]
    assert problems(type="kubernetes.io/basic-auth") == [
        "data[username]: Required value",
        "data[password]: Required value",
    ]
    assert problems(type="kubernetes.io/service-account-token") == [
        "metadata.annotations[kubernetes.io/service-account.name]: Required value"
    ]
    assert problems(type="kubernetes.io/dockerconfigjson", stringData={".dockerconfigjson": "{}"}) == []
    (problem,) = problems(type="kubernetes.io/dockerconfigjson", stringData={".dockerconfigjson": "{"})
    assert problem.startswith('data[.dockerconfigjson]: Invalid value: "<secret contents redacted>": ')


def test_immutability() -> None:
    old, new = secret(immutable=True, data={"a": "eA=="}), secret(data={"a": "eQ=="}, type="x")
    assert [str(problem) for problem in secrets.validate_update(new, old)] == [
        'type: Invalid value: "x": field is immutable',
        "immutable: Forbidden: field is immutable when `immutable` is set",
        "data: Forbidden: field is immutable when `immutable` is set",
    ]


def test_config_maps() -> None:
    meta = meta_v1.ObjectMeta(name="c", namespace="d")
    made = core_v1.ConfigMap(metadata=meta, data={"a": "1", "b/c": ""}, binaryData={"a": "eA=="})
    texts = [str(problem) for problem in configmaps.validate(made)]
    assert texts[0] == 'data[a]: Invalid value: "a": duplicate of key present in binaryData'
    assert texts[1].startswith('data[b/c]: Invalid value: "b/c": a valid config key must consist of')
    big = core_v1.ConfigMap(metadata=meta, data={"a": "x" * (1024 * 1024 + 1)})
    assert "Too long" in str(configmaps.validate(big)[0])
    frozen = core_v1.ConfigMap(metadata=meta, data={"a": "1"}, immutable=True)
    changed = core_v1.ConfigMap(metadata=meta, data={"a": "2"}, immutable=True)
    assert [p.field for p in configmaps.validate_update(changed, frozen)] == ["data"]
    assert configmaps.row(made, 0)[:2] == ("c", 3)
