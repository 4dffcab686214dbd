"""Lines, as Go writes them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybernetes.api import errors
from pybernetes.apiserver import request as requests
from pybernetes.apiserver.audit import events, form, policy

POD = "/api/v1/namespaces/a/pods/p"
ALICE = requests.User("alice", "7", ("dev", "system:authenticated"), (("scopes", ("x", "y")),))
METADATA = policy.Scope(policy.METADATA)


def asked(path: str = POD, **fields: Any) -> requests.Request:
    given: dict[str, Any] = {"headers": {"user-agent": "kubectl"}, "peer": "10.0.0.9", "user": ALICE, **fields}
    return requests.Request(method="GET", path=path, attributes=requests.parse("GET", path, False), **given)


def entry(request: requests.Request, scope: policy.Scope = METADATA) -> form.Entry:
    made = form.form(scope, request)
    return form.Entry(made, b"id-1", made.uri, b"2026-01-02T03:04:05.000006Z")


def test_received() -> None:
    one = entry(asked())
    assert one.form.first(one) == (
        b'{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"id-1","stage":"RequestReceived",'
        b'"requestURI":"/api/v1/namespaces/a/pods/p","verb":"get","user":{"username":"alice","uid":"7","groups":["dev",'
        b'"system:authenticated"],"extra":{"scopes":["x","y"]}},"sourceIPs":["10.0.0.9"],"userAgent":"kubectl",'
        b'"objectRef":{"resource":"pods","namespace":"a","name":"p","apiVersion":"v1"},'
        b'"requestReceivedTimestamp":"2026-01-02T03:04:05.000006Z","stageTimestamp":"2026-01-02T03:04:05.000006Z"}\n'
    )


def test_complete() -> None:
    request = asked("/apis/apps/v1/namespaces/a/deployments/d/scale")
    one = entry(request, policy.Scope(policy.RESPONSE))
    request.annotations = {"b": "<2>", "a": "1"}
    request.user, request.constraint = requests.User("bob"), "impersonate:user-info"
    filled = one.form.filled(request, events.success(200), asked=b'{"a":1}', answered=b'{"b":2}')
    assert one.form.line(one, policy.COMPLETE, b"2026-01-02T03:04:06.000000Z", filled) == (
        b'{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"RequestResponse","auditID":"id-1",'
        b'"stage":"ResponseComplete","requestURI":"/apis/apps/v1/namespaces/a/deployments/d/scale","verb":"get",'
        b'"user":{"username":"alice","uid":"7","groups":["dev","system:authenticated"],"extra":{"scopes":["x","y"]}},'
        b'"impersonatedUser":{"username":"bob"},'
        b'"authenticationMetadata":{"impersonationConstraint":"impersonate:user-info"},'
        b'"sourceIPs":["10.0.0.9"],"userAgent":"kubectl","objectRef":{"resource":"deployments","namespace":"a",'
        b'"name":"d","apiGroup":"apps","apiVersion":"v1","subresource":"scale"},'
        b'"responseStatus":{"metadata":{},"code":200},"requestObject":{"a":1},"responseObject":{"b":2},'
        b'"requestReceivedTimestamp":"2026-01-02T03:04:05.000006Z","stageTimestamp":"2026-01-02T03:04:06.000000Z",'
        b'"annotations":{"a":"1","b":"\\u003c2\\u003e"}}\n'
    )


def test_what_is_no_object() -> None:
    one = entry(asked("/healthz", headers={}, peer="", user=requests.User("")))
    line = one.form.first(one)
    assert b'"verb":"get","user":{},"requestReceivedTimestamp"' in line


def test_of_what_objects_made_large_the_objects_are_left_out() -> None:
    request = asked()
    one = entry(request)
    middle, end = one.form.filled(request, events.success(200), truncated=True)
    assert b"Object" not in middle
    assert end == b'","annotations":{"audit.k8s.io/truncated":"true"}}\n'


def test_the_last_line_is_made_anew_when_it_came_to_something_else() -> None:
    request = asked()
    one = entry(request)

    def last(code: int) -> dict[str, Any]:
        line: dict[str, Any] = json.loads(one.form.last(request, one, events.success(code), b"now"))
        return line

    assert last(200)["responseStatus"] == last(200)["responseStatus"] == {"metadata": {}, "code": 200}
    assert last(201)["responseStatus"]["code"] == 201
    request.annotations["a"] = "b"
    assert last(201)["annotations"] == {"a": "b"}
    request.annotations["a"] = "c"
    assert last(201)["annotations"] == {"a": "c"}
    request.user = requests.User("bob")
    assert last(201)["impersonatedUser"] == {"username": "bob"}
    request.user = ALICE
    assert "impersonatedUser" not in last(201)


def test_the_order_of_a_status() -> None:
    error = errors.forbidden("apps", "deployments", "d", "no & no")
    assert events.status_of(error.status) == (
        b'{"metadata":{},"status":"Failure","message":"deployments.apps \\"d\\" is forbidden: no \\u0026 no",'
        b'"reason":"Forbidden","details":{"name":"d","group":"apps","kind":"deployments"},"code":403}'
    )


@pytest.mark.parametrize(
    ("headers", "addresses"),
    [
        ({}, ["10.0.0.9"]),
        ({"x-forwarded-for": "1.1.1.1, 2.2.2.2"}, ["1.1.1.1", "2.2.2.2", "10.0.0.9"]),
        ({"x-forwarded-for": "unknown,1.1.1.1"}, ["1.1.1.1", "10.0.0.9"]),
        ({"x-forwarded-for": "1.1.1.1,10.0.0.9"}, ["1.1.1.1", "10.0.0.9"]),
        ({"x-real-ip": "1.1.1.1"}, ["1.1.1.1", "10.0.0.9"]),
        ({"x-forwarded-for": "1.1.1.1,2.2.2.2", "x-real-ip": "1.1.1.1"}, ["1.1.1.1", "2.2.2.2", "10.0.0.9"]),
        ({"x-forwarded-for": "010.0.0.09, 0:0:0:0:0:0:0:1"}, ["10.0.0.9", "::1", "10.0.0.9"]),
    ],
)
def test_where_it_came_from(headers: dict[str, str], addresses: list[str]) -> None:
    one = entry(asked(headers=headers))
    assert json.loads(one.form.first(one))["sourceIPs"] == addresses


def test_long_agents() -> None:
    one = entry(asked(headers={"user-agent": "x" * 2000}))
    assert json.loads(one.form.first(one))["userAgent"] == "x" * 1024 + "...TRUNCATED"


@given(st.text())
def test_texts_are_escaped_and_come_back(text: str) -> None:
    data = events.encoded({"a": text})
    assert json.loads(data) == {"a": text}
    assert not any(character in data.decode() for character in "<>&\u2028\u2029")
