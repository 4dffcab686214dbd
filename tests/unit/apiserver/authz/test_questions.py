"""What access reviews ask."""

from __future__ import annotations

from typing import Any

import pytest

from pybernetes.api import codecs
from pybernetes.api.types import authorization_v1
from pybernetes.apiserver.authz import authorizer, questions

RESOURCE = {"verb": "list", "resource": "pods", "namespace": "ns"}


def review(kind: Any = authorization_v1.SubjectAccessReview, meta: Any = None, **spec: Any) -> Any:
    return codecs.decode(kind, codecs.encode({"metadata": meta or {}, "spec": {"user": "alice", **spec}}))


def narrowed(**selectors: Any) -> Any:
    return review(resourceAttributes={**RESOURCE, **selectors})


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        (review(), "exactly one of nonResourceAttributes or resourceAttributes must be specified"),
        (review(user="", resourceAttributes=RESOURCE), "at least one of user or group must be specified"),
        (
            review(resourceAttributes=RESOURCE, nonResourceAttributes={"path": "/"}),
            "cannot be specified in combination with resourceAttributes",
        ),
        (review(meta={"name": "a"}, resourceAttributes=RESOURCE), "metadata: Invalid value"),
        (narrowed(fieldSelector={}), "when spec.resourceAttributes.fieldSelector is specified, requirements or"),
        (
            narrowed(labelSelector={"rawSelector": "a", "requirements": [{"key": "a", "operator": "Exists"}]}),
            "may not specified at the same time as requirements",
        ),
        (
            narrowed(fieldSelector={"requirements": [{"key": "", "operator": "In"}]}),
            "spec.resourceAttributes.fieldSelector.requirements[0].key: Required value: must be specified",
        ),
        (
            narrowed(labelSelector={"requirements": [{"key": "a", "operator": "Exists", "values": ["b"]}]}),
            "may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
        ),
        (
            review(
                authorization_v1.LocalSubjectAccessReview,
                meta={"namespace": "other"},
                nonResourceAttributes={"path": "/"},
            ),
            "disallowed on this kind of request",
        ),
        (
            review(authorization_v1.LocalSubjectAccessReview, meta={"namespace": "x"}, resourceAttributes=RESOURCE),
            'spec.resourceAttributes.namespace: Invalid value: "ns": must match metadata.namespace',
        ),
    ],
)
def test_what_is_wrong(asked: Any, why: str) -> None:
    assert why in "\n".join(map(str, questions.validate(asked)))


def test_raw_selectors() -> None:
    asked = narrowed(fieldSelector={"rawSelector": "a=b"}, labelSelector={"rawSelector": "c!=d"})
    assert questions.validate(asked) == []
    found = questions.attributes(asked.spec).selectors
    assert found is not None
    assert [str(term) for term in (*found.fields, *found.labels)] == ["a=b", "c!=d"]


def test_what_cannot_be_read_is_ignored_and_said() -> None:
    asked = narrowed(
        fieldSelector={"requirements": [{"key": "a", "operator": "Odd"}]},
        labelSelector={
            "requirements": [{"key": "a", "operator": "Odd"}, {"key": "b", "operator": "In", "values": ["c"]}]
        },
    )
    assert questions.validate(asked) == []
    attributes = questions.attributes(asked.spec)
    status = questions.status(authorizer.Decision(True, error="odd"), attributes)
    assert status.evaluationError == (
        "odd; spec.resourceAttributes.fieldSelector ignored due to parse error; "
        "spec.resourceAttributes.labelSelector partially ignored due to parse error"
    )


def test_who_and_what() -> None:
    asked = review(uid="u", groups=["g"], extra={"k": ["v"]}, resourceAttributes=RESOURCE)
    assert questions.user(asked.spec) == ("alice", "u", ("g",), (("k", ("v",)),))
    assert questions.attributes(asked.spec).version == "*"
    assert questions.attributes(review(resourceAttributes={"verb": "get"}).spec).is_resource
    assert not questions.attributes(review(nonResourceAttributes={"verb": "get", "path": "/x"}).spec).is_resource
