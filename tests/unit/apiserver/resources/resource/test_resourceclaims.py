from __future__ import annotations

from typing import Any

import pytest

from pybernetes.api import codecs
from pybernetes.api.types import resource_v1, resource_v1beta1
from pybernetes.apiserver.resources.resource import resourceclaims, v1beta1

REQUEST = {"name": "gpu", "exactly": {"deviceClassName": "gpus"}}
RESULT = {"request": "gpu", "driver": "d.example.com", "pool": "p", "device": "dev-0"}
ALLOCATION = {"devices": {"results": [RESULT]}}


def claim(asked: dict[str, Any] | None = None, **status: Any) -> resource_v1.ResourceClaim:
    tree = {"metadata": {"name": "c"}, "spec": {"devices": asked or {"requests": [REQUEST]}}, "status": status}
    made = codecs.from_tree(resource_v1.ResourceClaim, tree)
    resourceclaims.default(made)
    return made


@pytest.mark.parametrize(
    ("devices", "expected"),
    [
        ({"requests": [REQUEST]}, []),
        (
            {"requests": [{"name": "gpu"}]},
            ["spec.devices.requests[0]: Required value: exactly one of `exactly` or `firstAvailable` is required"],
        ),
        (
            {"requests": [REQUEST, REQUEST]},
            ['spec.devices.requests[1]: Duplicate value: "gpu"'],
        ),
        (
            {"requests": [{"name": "gpu", "exactly": {"deviceClassName": "", "allocationMode": "Some"}}]},
            [
                "spec.devices.requests[0].exactly.deviceClassName: Required value",
                (
                    'spec.devices.requests[0].exactly.allocationMode: Unsupported value: "Some": '
                    'supported values: "All", '
                    '"ExactCount"'
                ),
            ],
        ),
        (
            {"requests": [REQUEST], "constraints": [{"requests": ["cpu"], "matchAttribute": "d.example.com/model"}]},
            [
                (
                    'spec.devices.constraints[0].requests[0]: Invalid value: "cpu": must be the '
                    "name of a request in the "
                    "claim or the name of a request and a subrequest separated by '/'"
                )
            ],
        ),
        (
            {"requests": [REQUEST], "config": [{"opaque": {"driver": "d.example.com", "parameters": []}}]},
            ['spec.devices.config[0].opaque.parameters: Invalid value: "<value omitted>": must be a valid JSON object'],
        ),
    ],
)
def test_validation(devices: dict[str, Any], expected: list[str]) -> None:
    assert [str(problem) for problem in resourceclaims.validate(claim(devices))] == expected


@pytest.mark.parametrize(
    ("status", "before", "expected"),
    [
        ({"allocation": ALLOCATION}, {}, []),
        (
            {"reservedFor": [{"resource": "pods", "name": "p", "uid": "1"}]},
            {},
            ["status.reservedFor: Forbidden: may not be specified when `allocated` is not set"],
        ),
        (
            {"devices": [{"driver": "d.example.com", "pool": "p", "device": "dev-1"}], "allocation": ALLOCATION},
            {"allocation": ALLOCATION},
            ['status.devices[0]: Invalid value: "d.example.com/p/dev-1": must be an allocated device in the claim'],
        ),
    ],
)
def test_status(status: dict[str, Any], before: dict[str, Any], expected: list[str]) -> None:
    found = resourceclaims.validate_status(claim(**status), claim(**before))
    assert [str(problem) for problem in found] == expected


def test_reports_go_with_their_devices() -> None:
    report = {"driver": "d.example.com", "pool": "p", "device": "dev-0"}
    new, old = claim(), claim(allocation=ALLOCATION)
    new.status = codecs.from_tree(resource_v1.ResourceClaimStatus, {"devices": [report]})
    old.status.devices = new.status.devices
    resourceclaims.prepare_status(new, old)
    assert new.status.devices == []


def test_the_beta_form_has_no_exactly() -> None:
    spec = {"devices": {"requests": [{"name": "gpu", "deviceClassName": "gpus"}]}}
    old = codecs.from_tree(resource_v1beta1.ResourceClaim, {"metadata": {"name": "c"}, "spec": spec})
    v1beta1.CLAIMS.default(old)
    view = v1beta1.CLAIMS.stored_as
    assert view is not None
    stored = view.to_stored(old)
    assert stored.spec.devices.requests[0].exactly.count == 1
    assert view.from_stored(stored) == old
    assert v1beta1.CLAIMS.validate(old) == []
