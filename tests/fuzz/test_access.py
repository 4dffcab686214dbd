"""Everything a client can say wrongly about who it is and what it wants to be allowed: no crash, and no way in."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybernetes.api import errors
from pybernetes.api.types import meta_v1, rbac_v1
from pybernetes.apiserver import request as requests
from pybernetes.apiserver.authn import jwt, keysets, x509
from tests.fuzz import harness
from tests.fuzz.test_requests import EXAMPLES, JSON

WHOAMI = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
MAPS = "/api/v1/namespaces/default/configmaps"
GROUP = "rbac.authorization.k8s.io"
ACCESS = "/apis/authorization.k8s.io/v1"

trees = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
# What a header can hold.
header = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=60)


def part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


claims = st.fixed_dictionaries(
    {},
    optional={
        "iss": st.just("https://kubernetes.default.svc.cluster.local") | st.just("kubernetes/serviceaccount") | trees,
        "aud": trees,
        "exp": trees,
        "nbf": trees,
        "sub": trees,
        "kubernetes.io": trees,
        "kubernetes.io/serviceaccount/secret.name": trees,
    },
)
heads = st.fixed_dictionaries(
    {}, optional={"alg": st.sampled_from(["none", "HS256", "RS256", "ES256", ""]) | trees, "kid": trees, "crit": trees}
)
tokens = st.one_of(
    header,
    st.builds(lambda head, body, end: f"{part(head)}.{part(body)}.{end}", heads | trees, claims | trees, header),
    st.builds(".".join, st.lists(header, max_size=5)),
    st.builds("{}.{}".format, st.from_regex(r"[a-z0-9]{6}", fullmatch=True), header),
)


@pytest.fixture(scope="module")
def target() -> Iterator[harness.Target]:
    """Bob may read the ConfigMaps of namespace default."""
    with harness.target() as found:
        client = found.server.client
        rule = rbac_v1.PolicyRule(verbs=["get", "list", "watch"], apiGroups=[""], resources=["configmaps"])
        meta = {"name": "reader", "namespace": "default"}
        role = rbac_v1.Role(metadata=meta_v1.ObjectMeta(**meta), rules=[rule])
        binding = rbac_v1.RoleBinding(
            metadata=meta_v1.ObjectMeta(**meta),
            roleRef=rbac_v1.RoleRef(apiGroup=GROUP, kind="Role", name="reader"),
            subjects=[rbac_v1.Subject(kind="User", name="bob", apiGroup=GROUP)],
        )
        found.run(client.create(role))
        found.run(client.create(binding))
        yield found


def code(target: harness.Target, request: requests.Request) -> int:
    """What the whole chain answers; anything but a result or a Status is a crash, and fails the test."""
    try:
        target.run(target.server.api.handler(request))
    except errors.StatusError as error:
        return error.code
    finally:
        if request.finished is not None:
            request.finished()
    return 200


@EXAMPLES
@given(tokens, st.sampled_from(["Bearer ", "bearer ", "BEARER  ", "", "Basic ", "Bearer"]))
def test_tokens(target: harness.Target, token: str, scheme: str) -> None:
    if token.strip() in ("admin", "alice"):
        return
    request = requests.Request(method="GET", path=MAPS, headers={"authorization": scheme + token})
    assert code(target, request) in (401, 403)
    reviewed = requests.Request(
        method="POST",
        path="/apis/authentication.k8s.io/v1/tokenreviews",
        headers={"authorization": "Bearer admin", "content-type": "application/json"},
        body=json.dumps({"spec": {"token": token, "audiences": ["a"]}}).encode(),
    )
    assert code(target, reviewed) == (200 if token else 400)


@EXAMPLES
@given(st.text(max_size=40), st.text(max_size=40))
def test_protocols_of_web_sockets(target: harness.Target, first: str, second: str) -> None:
    offered = f"{first}, base64url.bearer.authorization.k8s.io.{second}"
    if base64.urlsafe_b64encode(b"admin").decode().rstrip("=") in offered:
        return
    request = requests.Request(method="GET", path=MAPS, headers={"sec-websocket-protocol": offered})
    assert code(target, request) in (401, 403)


@EXAMPLES
@given(
    st.dictionaries(
        st.sampled_from(
            [
                *("impersonate-user", "impersonate-group", "impersonate-uid", "impersonate-extra-a%2fb"),
                *("impersonate-extra-", "impersonate-", "x-remote-user", "x-remote-group", "impersonate-extra-%zz"),
            ]
        ),
        st.text(max_size=20) | st.sampled_from(["system:masters", "system:node:x", "system:serviceaccount:a:b", "\n"]),
        max_size=4,
    )
)
def test_acting_as_somebody(target: harness.Target, headers: dict[str, str]) -> None:
    alice = requests.Request(method="GET", path=MAPS, headers={"authorization": "Bearer alice", **headers})
    assert code(target, alice) in (400, 403)
    admin = requests.Request(method="POST", path=WHOAMI, headers={"authorization": "Bearer admin", **headers, **JSON})
    admin.body = b"{}"
    assert code(target, admin) in (200, 400, 403)


@EXAMPLES
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["commonName", "organizationName", x509.UID, "countryName"]),
            st.text(max_size=20) | st.sampled_from(["system:masters", "system:nodes", "system:node:", "bob"]),
        ),
        max_size=6,
    )
)
def test_subjects_of_certificates(target: harness.Target, subject: list[tuple[str, str]]) -> None:
    user = x509.user({"subject": tuple((pair,) for pair in subject)}, b"der")
    names = [value for key, value in subject if key == "commonName"]
    groups = [value for key, value in subject if key == "organizationName"]
    request = requests.Request(method="GET", path=MAPS, certificate_user=user)
    allowed = user is not None and (names[-1] == "bob" or "system:masters" in groups)
    assert code(target, request) == (200 if allowed else 403)


@EXAMPLES
@given(
    st.sampled_from(["subjectaccessreviews", "selfsubjectaccessreviews", "selfsubjectrulesreviews"]),
    st.fixed_dictionaries(
        {},
        optional={
            "user": st.text(max_size=8) | trees,
            "groups": st.lists(st.text(max_size=8), max_size=2) | trees,
            "extra": st.dictionaries(st.text(max_size=4), st.lists(st.text(max_size=4)), max_size=2) | trees,
            "namespace": st.text(max_size=4) | trees,
            "nonResourceAttributes": st.fixed_dictionaries({}, optional={"path": header, "verb": header}) | trees,
            "resourceAttributes": st.fixed_dictionaries(
                {},
                optional={
                    "verb": st.sampled_from(["get", "list", "*", ""]),
                    "resource": header,
                    "namespace": header,
                    "fieldSelector": st.fixed_dictionaries(
                        {},
                        optional={
                            "rawSelector": st.text(max_size=10),
                            "requirements": st.lists(
                                st.fixed_dictionaries(
                                    {},
                                    optional={
                                        "key": st.text(max_size=4),
                                        "operator": st.sampled_from(["In", "NotIn", "Exists", "Odd", ""]),
                                        "values": st.lists(st.text(max_size=4), max_size=2),
                                    },
                                ),
                                max_size=2,
                            ),
                        },
                    ),
                    "labelSelector": st.fixed_dictionaries({}, optional={"rawSelector": st.text(max_size=10)}),
                },
            )
            | trees,
        },
    ),
)
def test_reviews(target: harness.Target, kind: str, spec: Any) -> None:
    body = json.dumps({"spec": spec}).encode()
    answer = target.ask("POST", f"{ACCESS}/{kind}", body, JSON)
    assert answer.code in (201, 400, 422), answer


SEGMENTS = st.sampled_from(
    [
        *("api", "apis", "v1", "apps", "namespaces", "default", "kube-system", "configmaps", "secrets", "pods", "x"),
        *("watch", "proxy", "status", "log", "exec", "", ".", "..", "%2e%2e", "default%2fsecrets", "*", "metrics"),
    ]
)


@EXAMPLES
@given(st.lists(SEGMENTS, max_size=8), st.sampled_from(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]))
def test_no_path_leads_to_what_is_not_granted(target: harness.Target, segments: list[str], method: str) -> None:
    """Of bob, whatever is answered is of the ConfigMaps that he may read."""
    for path in ("/" + "/".join(segments), "/" + quote("/".join(segments))):
        request = requests.Request(method=method, path=path, certificate_user=requests.User("bob"))
        answered = code(target, request)
        at = request.attributes
        own = (at.resource, at.namespace, at.subresource) == ("configmaps", "default", "")
        assert answered in ((200, 404) if own and method in ("GET", "HEAD") else (403, 404, 405)), path


@EXAMPLES
@given(trees | st.fixed_dictionaries({"keys": st.lists(st.dictionaries(header, trees, max_size=4), max_size=3)}))
def test_sets_of_keys(tree: Any) -> None:
    try:
        found = keysets.read(tree)
    except ValueError:
        return
    assert found == []


@EXAMPLES
@given(tokens)
def test_what_is_taken_apart_is_put_together(token: str) -> None:
    try:
        parsed = jwt.parse(token)
    except jwt.InvalidToken:
        return
    assert token.startswith(parsed.signed.decode())
    assert hash((parsed.algorithm, parsed.key_id, parsed.issuer, jwt.audiences(parsed.claims)))
