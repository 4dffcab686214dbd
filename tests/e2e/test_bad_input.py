"""Bad input over the bare socket: each is answered as upstream answers it, and the server lives on."""

from __future__ import annotations

import json
import socket
import ssl
import time
from collections.abc import Iterator

import pytest

from tests.e2e import harness

MAPS = "/api/v1/namespaces/default/configmaps"


@pytest.fixture(autouse=True)
def _lives_on(simulated: harness.Cluster) -> Iterator[None]:
    (before,) = simulated.processes("run-server")
    yield
    assert harness.ask(simulated, "GET", "/readyz").body == b"ok"
    assert list(simulated.processes("run-server")) == [before]


def _map(name: str, **more: object) -> dict[str, object]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, **more}


def _raw(cluster: harness.Cluster, data: bytes, *, seconds: float = 5.0) -> bytes:
    """What comes back until the server closes, or is silent for a moment after it has answered."""
    with cluster.connect(seconds=seconds) as connection:
        connection.sendall(data)
        got = b""
        try:
            while chunk := connection.recv(65536):
                got += chunk
                connection.settimeout(0.3)
        except (TimeoutError, ssl.SSLError, ConnectionError):
            pass
        return got


@pytest.mark.parametrize(
    ("body", "content_type", "code", "words"),
    [
        (
            b'{"apiVersion":"v1","kind":"ConfigMap",',
            "application/json",
            400,
            ("the object provided is unrecognized (must be of type ConfigMap): couldn't get version/kind; "
            'json parse error: unexpected end of JSON input ({"apiVersion":"v1","kind":"Con ...)'),
        ),
        (b"{nonsense}", "application/json", 400,
         "json parse error: invalid character 'n' looking for beginning of object key string"),
        (b"", "application/json", 400, "json parse error: unexpected end of JSON input (<empty>)"),
        (b"a: b: c", "application/yaml", 400, "error converting YAML to JSON"),
        (b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":7}}', "application/json", 400,
         "cannot unmarshal number into Go struct field ObjectMeta.metadata.name of type string"),
        (b'{"apiVersion":"v1","kind":"ConfigMap","metadata":[]}', "application/json", 400, "cannot unmarshal array"),
        (b'{"kind":"ConfigMap"}', "application/json", 422, ""),
        (b'{"apiVersion":"v1","kind":"Sandwich"}', "application/json", 400, "Sandwich"),
        (b'{"apiVersion":"v1","kind":"Secret","metadata":{"name":"x"}}', "application/json", 400,
         'Secret in version "v1" cannot be handled as a ConfigMap'),
        (b"\xff\xfe\x00", "application/json", 400, "looking for beginning of value (fffe00)"),
        (b"<a/>", "application/xml", 415, "the body of the request was in an unknown format"),
        (b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"UPPER"}}', "application/json", 422,
         "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters"),
        (b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{}}', "application/json", 422,
         "name or generateName is required"),
        (b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","namespace":"other"}}', "application/json", 400,
         "the namespace of the provided object does not match the namespace sent on the request"),
    ],
)  # fmt: skip
def test_bodies(simulated: harness.Cluster, body: bytes, content_type: str, code: int, words: str) -> None:
    answer = harness.ask(simulated, "POST", MAPS, body, content_type=content_type)
    assert answer.code == code, answer.body
    assert answer.json["kind"] == "Status"
    assert words in answer.message


def test_fields_and_sizes(simulated: harness.Cluster) -> None:
    odd = _map("odd", surprise=1)
    strict = harness.ask(simulated, "POST", f"{MAPS}?fieldValidation=Strict", odd)
    assert strict.code == 400
    assert 'strict decoding error: unknown field "surprise"' in strict.message
    warned = harness.ask(simulated, "POST", f"{MAPS}?fieldValidation=Warn&dryRun=All", odd)
    assert warned.code == 201
    assert warned.headers["warning"] == r'299 - "unknown field \"surprise\""'
    assert harness.ask(simulated, "POST", f"{MAPS}?fieldValidation=Ignore&dryRun=All", odd).code == 201
    doubled = b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x"},"data":{"a":"1"},"data":{"a":"2"}}'
    assert "duplicate field" in harness.ask(simulated, "POST", f"{MAPS}?fieldValidation=Strict", doubled).message
    large = harness.ask(simulated, "POST", MAPS, _map("large", data={"a": "x" * (3 << 20)}))
    assert (large.code, large.json["reason"]) == (413, "RequestEntityTooLarge")
    assert "limit is 3145728" in large.message
    over = harness.ask(simulated, "POST", MAPS, _map("over", data={"a": "x" * (1 << 20 | 1)}))
    assert over.code == 422
    assert "Too long: may not be more than 1048576 bytes" in over.message


def test_who_may(simulated: harness.Cluster) -> None:
    wrong = harness.ask(simulated, "GET", MAPS, token="wrong")
    assert (wrong.code, wrong.json["reason"], wrong.message) == (401, "Unauthorized", "Unauthorized")
    anonymous = harness.ask(simulated, "GET", MAPS, token=None)
    assert anonymous.code == 403
    assert 'configmaps is forbidden: User "system:anonymous" cannot list resource "configmaps"' in anonymous.message
    bob = harness.ask(simulated, "DELETE", "/api/v1/nodes/n1", token="bob-token")
    assert (bob.code, bob.message) == (
        403,
        'nodes "n1" is forbidden: User "bob" cannot delete resource "nodes" in API group "" at the cluster scope',
    )
    assert harness.ask(simulated, "GET", "/version", token=None).code == 200
    path = harness.ask(simulated, "GET", "/nowhere", token="bob-token")
    assert (path.code, path.message) == (403, 'forbidden: User "bob" cannot get path "/nowhere"')
    assert harness.ask(simulated, "GET", "/nowhere").code == 404
    unknown = harness.ask(simulated, "GET", "/api/v1/namespaces/default/sandwiches")
    assert (unknown.code, unknown.message) == (404, "the server could not find the requested resource")
    assert harness.ask(simulated, "PUT", MAPS, _map("x")).code == 405
    assert harness.ask(simulated, "GET", MAPS, headers={"Accept": "image/png"}).code == 406


def test_conflicts_and_old_revisions(simulated: harness.Cluster) -> None:
    first = harness.ask(simulated, "POST", MAPS, _map("contested")).json
    again = harness.ask(simulated, "POST", MAPS, _map("contested"))
    assert (again.code, again.json["reason"], again.message) == (
        409, "AlreadyExists", 'configmaps "contested" already exists')  # fmt: skip
    one = f"{MAPS}/contested"
    assert harness.ask(simulated, "PUT", one, {**first, "data": {"a": "1"}}).code == 200
    stale = harness.ask(simulated, "PUT", one, {**first, "data": {"a": "2"}})
    assert (stale.code, stale.json["reason"]) == (409, "Conflict")
    assert stale.message == (
        'Operation cannot be fulfilled on configmaps "contested": the object has been modified; '
        "please apply your changes to the latest version and try again"
    )
    gone = json.dumps({"preconditions": {"uid": "other"}, "kind": "DeleteOptions", "apiVersion": "v1"})
    assert harness.ask(simulated, "DELETE", one, gone).code == 409
    future = harness.ask(simulated, "GET", f"{MAPS}?resourceVersion=99999999&resourceVersionMatch=Exact")
    assert future.code == 504 or "Too large resource version" in future.message
    assert harness.ask(simulated, "GET", f"{MAPS}?continue=rubbish").code in (400, 410)
    assert harness.ask(simulated, "GET", f"{MAPS}?limit=many").code == 400
    assert harness.ask(simulated, "GET", f"{MAPS}?labelSelector=a+in+(").code == 400
    assert harness.ask(simulated, "GET", f"{MAPS}?fieldSelector=data.a%3D1").code == 400
    assert harness.ask(simulated, "PATCH", one, "[]", content_type="application/x-tar").code == 415
    harness.ask(simulated, "DELETE", one)


def test_the_wire(simulated: harness.Cluster) -> None:
    head = b"Host: x\r\nAuthorization: Bearer alice-token\r\n"
    assert _raw(simulated, b"\x00\x01garbage\r\n\r\n").startswith(b"HTTP/1.1 400 Bad Request")
    assert b" 200 OK" in _raw(simulated, b"GET /version HTTP/1.0\r\n" + head + b"\r\n")
    two = b"GET /healthz HTTP/1.1\r\n" + head + b"\r\n"
    assert _raw(simulated, two * 3).count(b"HTTP/1.1 200 OK") == 3
    huge = b"GET /version HTTP/1.1\r\n" + head + b"X-Big: " + b"y" * (2 << 20) + b"\r\n\r\n"
    assert b" 431 " in _raw(simulated, huge)
    body = json.dumps(_map("chunked")).encode()
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:10], body[10:])) + b"0\r\n\r\n"
    post = b"POST %b?dryRun=All HTTP/1.1\r\n" % MAPS.encode() + head
    sent = post + b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks
    assert _raw(simulated, sent).startswith(b"HTTP/1.1 201 Created")
    waiting = post + b"Content-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"
    assert _raw(simulated, waiting).startswith(b"HTTP/1.1 100 Continue")

    # Plain text to the TLS port, and nothing at all.
    with socket.create_connection(("127.0.0.1", simulated.api_port), timeout=5) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert b"HTTP/1.1 200" not in plain.recv(4096)

    # A hundred that stop half-way through a request take nothing from the others.
    half = [simulated.connect() for _ in range(100)]
    try:
        for connection in half:
            connection.sendall(b"POST /api/v1/namespaces/default/configmaps HTTP/1.1\r\nContent-Length: 1000\r\nHo")
        began = time.monotonic()
        assert harness.ask(simulated, "GET", "/readyz").code == 200
        assert time.monotonic() - began < 1.0
    finally:
        for connection in half:
            connection.close()


def test_a_watcher_that_does_not_read_harms_nobody(simulated: harness.Cluster) -> None:
    request = b"GET %b?watch=1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer alice-token\r\n\r\n" % MAPS.encode()
    with simulated.connect() as deaf:
        deaf.sendall(request)
        name = f"{MAPS}/loud"
        assert harness.ask(simulated, "POST", MAPS, _map("loud")).code == 201
        for number in range(30):
            data = {"data": {"a": str(number) * 400_000}}
            answer = harness.ask(simulated, "PATCH", name, data, content_type="application/merge-patch+json")
            assert answer.code == 200
        assert harness.ask(simulated, "DELETE", name).code == 200
