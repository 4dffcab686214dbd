"""Request bodies -> objects, refused with upstream's words."""

from __future__ import annotations

from typing import Any

import msgspec

from pybernetes.api import codecs, errors, scheme, strictness, wording
from pybernetes.apiserver import request as requests

JSON = "application/json"
YAML = "application/yaml"
PROTOBUF = "application/vnd.kubernetes.protobuf"
ACCEPTED = (JSON, YAML, PROTOBUF)
SUMMARY = 30


def media_type(request: requests.Request) -> str:
    return request.header("content-type").partition(";")[0].strip().lower()


def tree(request: requests.Request, accepted: tuple[str, ...] = ACCEPTED) -> Any:
    """The body as a plain tree."""
    body = request.body
    if not isinstance(body, bytes):
        return codecs.to_tree(body)
    kind = media_type(request) or JSON
    if kind not in accepted and not (kind == "text/yaml" and YAML in accepted):
        raise errors.unsupported_media_type(accepted)
    try:
        if kind == PROTOBUF:
            return _protobuf(body)
        return codecs.decode_yaml(body) if kind.endswith("yaml") else codecs.decode_tree(body)
    except codecs.DecodeError as error:
        raise errors.bad_request(f"couldn't get version/kind; json parse error: {error}") from None


def _protobuf(body: bytes) -> Any:
    # Its tables are large, and only Go clients send it.
    from pybernetes.api import protobuf

    return protobuf.decode(body)


def decode(request: requests.Request, resource: scheme.Resource, kind: Any = None) -> Any:
    """The body as a fresh object of the resource's type, or of the given one."""
    expected = kind or resource.type
    body = request.body
    if not isinstance(body, bytes):
        return codecs.copy(body) if isinstance(body, expected) else convert(request, codecs.to_tree(body), expected)
    strict = request.query.get("fieldValidation", "")
    if media_type(request) in (JSON, "") and strict not in ("Strict", "Warn"):
        if not body.strip():
            return convert(request, {}, expected)
        try:
            obj = codecs.decode(expected, body)
        except codecs.DecodeError:
            # Decoded again below, for an answer that names the kind that was sent.
            pass
        else:
            if _declared(obj) == _declared_by(expected):
                return obj
    return convert(request, tree(request), expected)


def convert(request: requests.Request, document: Any, expected: Any) -> Any:
    """A tree as an object of the type, after checking what it says it is."""
    if expected is dict:
        return document
    if not isinstance(document, dict):
        raise errors.bad_request(
            "couldn't get version/kind; json parse error: json: cannot unmarshal "
            f"{_go_name(document)} into Go value of type struct "
            '{ APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }'
        )
    wanted_version, wanted_kind = _declared_by(expected)
    version, name = document.get("apiVersion") or wanted_version, document.get("kind") or wanted_kind
    if not isinstance(version, str) or not isinstance(name, str):
        raise errors.bad_request("couldn't get version/kind; json parse error: apiVersion and kind are strings")
    short = version.rsplit("/", 1)[-1]
    if (version, name) != (wanted_version, wanted_kind):
        if scheme.by_kind(version, name) is None and not _is_option(name):
            raise errors.bad_request(
                f'{name} in version "{short}" cannot be handled as a {wanted_kind}: '
                f'no kind "{name}" is registered for version "{version}" in scheme "pkg/api/legacyscheme/scheme.go:30"'
            )
        if version != wanted_version:
            raise errors.bad_request(
                f"the API version in the data ({version}) does not match the expected API version ({wanted_version})"
            )
        raise errors.bad_request(
            f'{name} in version "{short}" cannot be handled as a {wanted_kind}: '
            f"converting ({name}) to ({wanted_kind}): unknown conversion"
        )
    try:
        obj = codecs.from_tree(expected, document)
    except codecs.DecodeError as error:
        why = wording.unmarshal(expected, str(error))
        raise errors.bad_request(f'{name} in version "{short}" cannot be handled as a {name}: {why}') from None
    check_fields(request, document, expected)
    return obj


def check_fields(request: requests.Request, document: Any, expected: Any) -> None:
    """Apply the `fieldValidation` parameter."""
    mode = request.query.get("fieldValidation", "")
    if mode not in ("Strict", "Warn") or expected is dict:
        return
    texts = []
    if media_type(request) in (JSON, "") and isinstance(request.body, bytes):
        texts += [f'duplicate field "{path}"' for path in strictness.duplicate_fields(request.body)]
    texts += [f'unknown field "{path}"' for path in strictness.unknown_fields(expected, document)]
    if not texts:
        return
    if mode == "Warn":
        request.warnings.extend(texts)
        return
    version, name = _declared_by(expected)
    raise errors.bad_request(
        f'{name} in version "{version.rsplit("/", 1)[-1]}" cannot be handled as a {name}: '
        f"strict decoding error: {', '.join(texts)}"
    )


def _declared(obj: Any) -> tuple[str, str]:
    return (obj.apiVersion, obj.kind) if hasattr(obj, "apiVersion") else ("", "")


_DECLARED: dict[Any, tuple[str, str]] = {}


def _declared_by(kind: Any) -> tuple[str, str]:
    found = _DECLARED.get(kind)
    if found is None:
        found = _DECLARED[kind] = _declared(kind()) if issubclass(kind, msgspec.Struct) else ("", "")
    return found


def _is_option(name: str) -> bool:
    return name.endswith("Options")


def _go_name(value: Any) -> str:
    return {list: "array", str: "string", bool: "bool"}.get(type(value), "number")
