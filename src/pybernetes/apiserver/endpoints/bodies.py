"""Request bodies -> objects, refused with upstream's words."""

from __future__ import annotations

from typing import Any

import msgspec

from pybernetes.api import codecs, custom, errors, scheme, strictness, wording
from pybernetes.apiserver import request as requests
from pybernetes.apiserver.endpoints import options

JSON = "application/json"
YAML = "application/yaml"
PROTOBUF = "application/vnd.kubernetes.protobuf"
ACCEPTED = (JSON, YAML, PROTOBUF)
SUMMARY = 30


def media_type(request: requests.Request) -> str:
    given = request.header("content-type")
    return given if given in ACCEPTED else given.partition(";")[0].strip().lower()


def tree(request: requests.Request, wanted: str) -> Any:
    """The body as a plain tree; `wanted` is the kind it should be of."""
    body = request.body
    if not isinstance(body, bytes):
        return codecs.to_tree(body)
    kind = media_type(request) or JSON
    if kind not in ACCEPTED and kind != "text/yaml":
        raise errors.unsupported_media_type(ACCEPTED)
    try:
        if kind == PROTOBUF:
            return _protobuf(body)
        return codecs.decode_yaml(body) if kind.endswith("yaml") else codecs.decode_tree(body)
    except codecs.DecodeError as error:
        why = str(error) if kind.endswith("yaml") else f"couldn't get version/kind; json parse error: {error}"
        raise _unrecognized(wanted, why, body) from None


def _protobuf(body: bytes) -> Any:
    # Its tables are large, and only Go clients send it.
    from pybernetes.api import protobuf

    return protobuf.decode(body)


def decode(request: requests.Request, resource: scheme.Resource, kind: Any = None) -> Any:
    """The body as a fresh object of the resource's type, or of the given one."""
    expected = kind or resource.type
    body = request.body
    if not isinstance(body, bytes):
        return codecs.copy(body) if isinstance(body, expected) else convert(codecs.to_tree(body), expected)
    if media_type(request) in (JSON, ""):
        obj = known(body, expected)
        if obj is not None:
            if options.validation(request) != options.IGNORE:
                _report(request, expected, strictness.duplicates(body, is_yaml=False))
            return obj
    document = tree(request, _declared_by(expected)[1])
    obj = convert(document, expected)
    if options.validation(request) != options.IGNORE:
        _report(request, expected, strict_errors(request, document, expected))
    return obj


def known(data: bytes, expected: Any) -> Any:
    """JSON as an object of the type; None for what `convert` must look at, as it may be of another kind, or too much.

    Most documents have known fields only, so that one pass over them is enough.
    """
    if custom.is_custom(expected):
        return None
    obj = codecs.decode_known(expected, data)
    return obj if obj is not None and _declared(obj) == _declared_by(expected) else None


def convert(document: Any, expected: Any) -> Any:
    """A tree as an object of the type, after checking what it says it is; unknown fields are left out."""
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
    if custom.is_custom(expected):
        _check_custom(document, version, wanted_version, wanted_kind)
    elif (version, name) != (wanted_version, wanted_kind):
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
        why = wording.unmarshal(expected, str(error), document)
        raise errors.bad_request(f'{name} in version "{short}" cannot be handled as a {name}: {why}') from None
    return obj


def _check_custom(document: dict[str, Any], version: str, wanted_version: str, wanted_kind: str) -> None:
    """Custom objects say what they are; whether they are of the right kind is for their validation."""
    for member in ("kind", "apiVersion"):
        if not document.get(member):
            missing = member[0].upper() + member[1:] if member == "kind" else member
            shown = codecs.encode(document).decode()
            raise _unrecognized(wanted_kind, f"Object '{missing}' is missing in '{shown}'", shown.encode())
    if version != wanted_version:
        raise errors.bad_request(
            f"the API version in the data ({version}) does not match the expected API version ({wanted_version})"
        )


def _unrecognized(wanted: str, why: str, body: bytes) -> errors.StatusError:
    shown = body[:SUMMARY].decode(errors="replace") if body[:1] == b"{" else body[:SUMMARY].hex()
    summary = (shown + " ..." if len(body) > SUMMARY else shown) or "<empty>"
    return errors.bad_request(f"the object provided is unrecognized (must be of type {wanted}): {why} ({summary})")


def strict_errors(request: requests.Request, document: Any, expected: Any) -> list[str]:
    """What `fieldValidation` is about: fields that the body has twice, and those of the tree that nobody knows."""
    texts = []
    if document is not None:
        texts += [f'unknown field "{path}"' for path in strictness.unknown_fields(expected, document)]
    if isinstance(request.body, bytes):
        texts += strictness.duplicates(request.body, is_yaml=media_type(request).endswith("yaml"))
    return texts


def _report(request: requests.Request, expected: Any, texts: list[str]) -> None:
    if not texts:
        return
    if options.validation(request) == options.WARN:
        request.warnings.extend(texts)
        return
    version, name = _declared_by(expected)
    raise errors.bad_request(
        f'{name} in version "{version.rsplit("/", 1)[-1]}" cannot be handled as a {name}: '
        f"strict decoding error: {strict_text(texts)}"
    )


def strict_text(texts: list[str]) -> str:
    """Several problems as one text, as Go's decoders join them."""
    lines = [text for text in texts if text.startswith("line ")]
    fields_ = [text for text in texts if not text.startswith("line ")]
    return ", ".join([*(["\n  ".join(["yaml: unmarshal errors:", *lines])] if lines else []), *fields_])


def _declared(obj: Any) -> tuple[str, str]:
    return (obj.apiVersion, obj.kind) if hasattr(obj, "apiVersion") else ("", "")


_DECLARED: dict[Any, tuple[str, str]] = {}


def _declared_by(kind: Any) -> tuple[str, str]:
    found = _DECLARED.get(kind)
    if found is None:
        if custom.is_custom(kind):
            # These come and go.
            declared: tuple[str, str] = kind.DECLARED
            return declared
        found = _DECLARED[kind] = _declared(kind()) if issubclass(kind, msgspec.Struct) else ("", "")
    return found


def _is_option(name: str) -> bool:
    return name.endswith("Options")


def _go_name(value: Any) -> str:
    return {list: "array", str: "string", bool: "bool"}.get(type(value), "number")
