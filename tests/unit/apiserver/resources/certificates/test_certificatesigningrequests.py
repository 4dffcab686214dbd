from __future__ import annotations

import base64
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from pybernetes.api import codecs
from pybernetes.api.types import certificates_v1
from pybernetes.apiserver import request as requests
from pybernetes.apiserver.resources import kind
from pybernetes.apiserver.resources.certificates import certificatesigningrequests as csrs

KEY = ec.generate_private_key(ec.SECP256R1())
REQUEST = base64.b64encode(
    x509.CertificateSigningRequestBuilder()
    .subject_name(x509.Name([]))
    .sign(KEY, hashes.SHA256())
    .public_bytes(serialization.Encoding.PEM)
).decode()
SPEC = {"request": REQUEST, "signerName": "example.com/signer", "usages": ["client auth"]}
APPROVED = {"type": "Approved", "status": "True", "reason": "r"}


def csr(spec: dict[str, Any] | None = None, **status: Any) -> certificates_v1.CertificateSigningRequest:
    tree = {"metadata": {"name": "c"}, "spec": SPEC | (spec or {}), "status": status}
    return codecs.from_tree(certificates_v1.CertificateSigningRequest, tree)


def texts(problems: Any) -> list[str]:
    return [str(problem) for problem in problems]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, []),
        ({"usages": []}, ["spec.usages: Required value"]),
        ({"usages": ["client auth", "client auth"]}, ['spec.usages[1]: Duplicate value: "client auth"']),
        (
            {"signerName": "kubernetes.io/legacy-unknown"},
            [
                (
                    'spec.signerName: Invalid value: "kubernetes.io/legacy-unknown": the legacy '
                    "signerName is not allowed "
                    "via this API version"
                )
            ],
        ),
        (
            {"signerName": "signer"},
            [
                (
                    'spec.signerName: Invalid value: "signer": must be a fully qualified domain and path of the form '
                    "'example.com/signer-name'"
                )
            ],
        ),
        (
            {"expirationSeconds": 599},
            [
                (
                    "spec.expirationSeconds: Invalid value: 599: may not specify a duration less than 600 seconds "
                    "(10 minutes)"
                )
            ],
        ),
        (
            {"request": "YQ=="},
            ['spec.request: Invalid value: "YQ==": PEM block type must be CERTIFICATE REQUEST'],
        ),
    ],
)
def test_validation(spec: dict[str, Any], expected: list[str]) -> None:
    assert texts(csrs.validate(csr(spec))) == expected


def test_unknown_usages_are_listed_with_the_known() -> None:
    (problem,) = texts(csrs.validate(csr({"usages": ["dancing"]})))
    assert problem.startswith('spec.usages[0]: Unsupported value: "dancing": supported values: "any", "cert sign"')


def test_whoever_creates_it_asks() -> None:
    new = csr({"username": "somebody", "extra": {"a": ["b"]}})
    user = requests.User("jane", uid="1", groups=("g",), extra=(("k", ("v",)),))
    csrs.stamp(new, None, "", kind.Writing(user, "2026-01-01T00:00:00Z"))
    assert (new.spec.username, new.spec.uid, new.spec.groups) == ("jane", "1", ["g"])
    assert new.spec.extra == {"k": ["v"]}


def test_an_ordinary_update_changes_metadata_only() -> None:
    old, new = csr(conditions=[APPROVED]), csr({"usages": ["any"]})
    csrs.prepare_update(new, old)
    assert (new.spec, new.status) == (old.spec, old.status)


def test_approval_is_for_its_own_subresource() -> None:
    old, new = csr(), csr(conditions=[APPROVED])
    assert texts(csrs.validate_status(new, old)) == [
        'status.conditions: Forbidden: updates may not add a condition of type "Approved"'
    ]
    assert csrs.validate_approval(new, old) == []
    assert texts(csrs.validate_approval(old, new)) == [
        'status.conditions: Forbidden: updates may not remove a condition of type "Approved"'
    ]
    both = csr(conditions=[APPROVED, APPROVED | {"type": "Denied"}])
    assert texts(csrs.validate_approval(both, old)) == [
        'status.conditions: Invalid value: "Denied": Approved and Denied conditions are mutually exclusive'
    ]


def test_conditions_are_dated() -> None:
    new = csr(conditions=[APPROVED])
    csrs.stamp(new, csr(), "approval", kind.Writing(requests.User("x"), "2026-01-01T00:00:00Z"))
    (condition,) = new.status.conditions
    assert condition.lastUpdateTime == condition.lastTransitionTime == "2026-01-01T00:00:00Z"


def test_certificates_are_set_once() -> None:
    broken = csr(certificate=base64.b64encode(b"nothing").decode())
    assert texts(csrs.validate_status(broken, csr())) == [
        'status.certificate: Invalid value: "<certificate data>": must contain at least one CERTIFICATE PEM block'
    ]
    other = csr(certificate=base64.b64encode(b"other").decode())
    assert "status.certificate: Forbidden: updates may not modify existing certificate content" in texts(
        csrs.validate_status(other, broken)
    )


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ({}, "Pending"),
        ({"conditions": [APPROVED]}, "Approved"),
        ({"conditions": [APPROVED], "certificate": "YQ=="}, "Approved,Issued"),
        ({"conditions": [APPROVED | {"type": "Denied"}, APPROVED | {"type": "Failed"}]}, "Denied,Failed"),
    ],
)
def test_its_state_in_tables(status: dict[str, Any], state: str) -> None:
    assert list(csrs.row(csr(**status), 0.0))[-1] == state
