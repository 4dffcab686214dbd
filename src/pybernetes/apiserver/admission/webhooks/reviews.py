"""AdmissionReviews: what a webhook is asked, and what its answer says, in v1 and v1beta1."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Any

import msgspec

from pybernetes.api import codecs, errors
from pybernetes.api.types import meta_v1
from pybernetes.apiserver.admission import forms

VERSIONS = ("v1", "v1beta1")
_GROUP, _KIND = "admission.k8s.io", "AdmissionReview"


class Answer(msgspec.Struct):
    """A review's response; `patch` is JSON, b"" where there is none."""

    allowed: bool
    status: meta_v1.Status | None = None
    patch: bytes = b""
    patch_type: str = ""
    annotations: dict[str, str] = {}
    warnings: list[str] = []


class _Response(msgspec.Struct):
    uid: str | None = None
    allowed: bool | None = None
    status: Any = None
    patch: str | None = None
    patchType: str | None = None
    auditAnnotations: dict[str, str] | None = None
    warnings: list[str] | None = None


def version_of(accepted: Sequence[str]) -> str:
    """The first of a webhook's versions that there is here. Raises ValueError."""
    for version in accepted:
        if version in VERSIONS:
            return version
    raise ValueError("webhook does not accept known AdmissionReview versions (v1, v1beta1)")


def review(form: forms.Form, version: str, uid: str) -> dict[str, Any]:
    request = {"uid": uid, **form.request, "object": form.obj, "oldObject": form.old}
    request.setdefault("options", None)
    return {"kind": _KIND, "apiVersion": f"{_GROUP}/{version}", "request": request}


def answer(document: Any, version: str, uid: str, *, mutating: bool) -> Answer:
    """What a webhook said. Raises ValueError, in upstream's words, for what is no answer to the review."""
    if not isinstance(document, dict):
        raise ValueError("webhook response was absent")
    response = document.get("response")
    if response is None:
        raise ValueError("webhook response was absent")
    found = _decoded(response)
    if version == "v1":
        if found.uid != uid:
            raise ValueError(f'expected response.uid="{uid}", got "{found.uid or ""}"')
        stated = f"{_text(document, 'apiVersion') or '/'}, Kind={_text(document, 'kind')}"
        wanted = f"{_GROUP}/{version}, Kind={_KIND}"
        if stated != wanted:
            raise ValueError(f"expected webhook response of {wanted}, got {stated}")
        _check_patch(found, mutating=mutating)
    patch = _patch(found.patch) if mutating else b""
    kind = (found.patchType or "") if version == "v1" else "JSONPatch" * bool(patch)
    return Answer(
        allowed=bool(found.allowed),
        status=_status(found.status),
        patch=patch,
        patch_type=kind,
        annotations=found.auditAnnotations or {},
        warnings=found.warnings or [],
    )


def _text(document: dict[str, Any], name: str) -> str:
    value = document.get(name)
    return value if isinstance(value, str) else ""


def _decoded(response: Any) -> _Response:
    try:
        return msgspec.convert(response, _Response)
    except msgspec.ValidationError as error:
        raise ValueError(f"couldn't decode the webhook response: {error}") from None


def _status(tree: Any) -> meta_v1.Status | None:
    if tree is None:
        return None
    try:
        status: meta_v1.Status = codecs.from_tree(meta_v1.Status, tree)
    except codecs.DecodeError as error:
        raise ValueError(f"couldn't decode the webhook response: {error}") from None
    return status


def _patch(text: str | None) -> bytes:
    try:
        return base64.b64decode(text or "", validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("illegal base64 data in response.patch") from None


def _check_patch(found: _Response, *, mutating: bool) -> None:
    if not mutating:
        if found.patch:
            raise ValueError("validating webhook may not return response.patch")
        if found.patchType is not None:
            raise ValueError("validating webhook may not return response.patchType")
        return
    if found.patch and found.patchType is None:
        raise ValueError("webhook returned response.patch but not response.patchType")
    if not found.patch and found.patchType is not None:
        raise ValueError("webhook returned response.patchType but not response.patch")
    if found.patchType == "":
        raise ValueError('webhook returned invalid response.patchType of ""')


class Denial(errors.StatusError):
    """A webhook has not allowed the request."""


def refusal(name: str, status: meta_v1.Status | None) -> Denial:
    """The error of a request that a webhook has not allowed: what it said, and never less than a 400."""
    found = status if status is not None else meta_v1.Status()
    found.code = max(found.code, 400)
    if found.status in ("", "Success"):
        found.status = "Failure"
    why = found.message or found.reason
    denied = f'admission webhook "{name}" denied the request'
    found.message = f"{denied}: {why}" if why else f"{denied} without explanation"
    return Denial(found)
