"""`url("https://example.com/path")`: absolute URIs and paths, and their parts."""

from __future__ import annotations

from typing import Any
from urllib.parse import SplitResult, parse_qs, quote, urlsplit

from cel_expr_python import cel

from pybernetes.api.cel.libraries import opaque

_IN_PATHS = "/%:@!$&'()*+,;=~-._"


def _parse(text: str) -> Any:
    parts = urlsplit(text)
    if not text or any(ord(char) < 0x20 or ord(char) == 0x7F for char in text):
        raise ValueError(f"URL parse error during conversion from string: {text!r}")
    if not parts.scheme and not text.startswith("/"):
        raise ValueError("URL parse error during conversion from string: invalid URI for request")
    host = parts.netloc.rpartition("@")[2]
    outside = host.rpartition("]")[2] if host.startswith("[") else host
    port = outside.partition(":")[2]
    if outside.count(":") > 1 or (port and not port.isdigit()) or any(char in ' <>"' for char in host):
        raise ValueError(f"URL parse error during conversion from string: invalid host in {text!r}")
    return opaque.make(opaque.URL, text)


def _split(value: Any) -> SplitResult:
    return urlsplit(str(value.text))


def _host(value: Any) -> str:
    return str(_split(value).netloc.rpartition("@")[2])


def _hostname(value: Any) -> str:
    host = _host(value)
    return host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]


def _port(value: Any) -> str:
    host = _host(value)
    return host.rpartition("]")[2].removeprefix(":") if host.startswith("[") else host.partition(":")[2]


def _path(value: Any) -> str:
    return quote(_split(value).path, safe=_IN_PATHS)


def _query(value: Any) -> dict[str, list[str]]:
    return parse_qs(_split(value).query, keep_blank_values=True)


def calls() -> list[opaque.Call]:
    t, kind = cel.Type, opaque.type_of(opaque.URL)
    matrix = t.Map(t.STRING, t.List(t.STRING))
    return [
        opaque.Call("url", "string_to_url", kind, (t.STRING,), _parse, is_member=False),
        opaque.Call("isURL", "is_url_string", t.BOOL, (t.STRING,), opaque.accepts(_parse), is_member=False),
        opaque.Call("getScheme", "url_get_scheme", t.STRING, (kind,), lambda value: str(_split(value).scheme)),
        opaque.Call("getHost", "url_get_host", t.STRING, (kind,), _host),
        opaque.Call("getHostname", "url_get_hostname", t.STRING, (kind,), _hostname),
        opaque.Call("getPort", "url_get_port", t.STRING, (kind,), _port),
        opaque.Call("getEscapedPath", "url_get_escaped_path", t.STRING, (kind,), _path),
        opaque.Call("getQuery", "url_get_query", matrix, (kind,), _query),
    ]
