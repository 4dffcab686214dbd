from __future__ import annotations

from typing import Any

import pytest

from pybernetes.api import codecs, fields
from pybernetes.api.types import core_v1
from pybernetes.apiserver.resources.core import sysctl_validation

REGEX = r"^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$"


@pytest.mark.parametrize(
    ("names", "host", "expected"),
    [
        (["kernel.shmmax", "net/ipv4/conf/eno2.100/rp_filter"], {}, []),
        ([""], {}, ["s[0].name: Required value"]),
        (["a", "a"], {}, ['s[1].name: Duplicate value: "a"']),
        (
            ["foo-"],
            {},
            [f's[0].name: Invalid value: "foo-": must have at most 253 characters and match regex {REGEX}'],
        ),
        (
            ["net.core.somaxconn"],
            {"hostNetwork": True},
            ["s[0].name: Invalid value: \"net.core.somaxconn\": may not be specified when 'hostNetwork' is true"],
        ),
        (
            ["kernel/msgmax"],
            {"hostIPC": True},
            ["s[0].name: Invalid value: \"kernel/msgmax\": may not be specified when 'hostIPC' is true"],
        ),
    ],
)
def test_validation(names: list[str], host: dict[str, Any], expected: list[str]) -> None:
    sysctls = [{"name": name, "value": "1"} for name in names]
    spec = codecs.from_tree(core_v1.PodSpec, {"securityContext": {"sysctls": sysctls}} | host)
    assert [str(problem) for problem in sysctl_validation.validate(spec, fields.Path("s"))] == expected
