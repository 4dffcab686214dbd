"""PodCertificateRequests: a kubelet asks for a pod's certificate; a signer answers once, and for good."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence

from pybernetes.api import fields, names
from pybernetes.api.types import certificates_v1beta1
from pybernetes.apiserver.resources import checks, conditions, kind
from pybernetes.apiserver.resources.certificates import pod_certificates, signers
from pybernetes.apiserver.resources.core import base64s

_SPEC = fields.Path("spec")
_STATUS = fields.Path("status")
_FINAL = ("Issued", "Denied", "Failed")
_HOUR, _DAY = 3600, 24 * 3600
_MAX_KEY = 10 * 1024
_BYTES = ("pkixPublicKey", "proofOfPossession", "stubPKCS10Request")

Request = certificates_v1beta1.PodCertificateRequest


def default(request: Request) -> None:
    base64s.check({name: getattr(request.spec, name) for name in _BYTES}, request)
    if request.spec.maxExpirationSeconds is None:
        request.spec.maxExpirationSeconds = _DAY


def validate(request: Request) -> checks.Errors:
    spec = request.spec
    problems = signers.validate(spec.signerName, _SPEC["signerName"])
    for key in sorted(spec.unverifiedUserAnnotations):
        problems += _annotation(key.lower(), _SPEC["unverifiedUserAnnotations"])
    for name in ("pod", "serviceAccount", "node"):
        value, uid = getattr(spec, f"{name}Name"), getattr(spec, f"{name}UID")
        problems += checks.named(value, names.dns_subdomain, _SPEC[f"{name}Name"])
        if not uid:
            problems.append(fields.invalid(_SPEC[f"{name}UID"], uid, "must not be empty"))
        if len(uid) > 128:
            problems.append(fields.too_long(_SPEC[f"{name}UID"], 128))
    seconds, most = spec.maxExpirationSeconds or 0, _DAY if signers.is_kubernetes(spec.signerName) else 91 * _DAY
    if not _HOUR <= seconds <= most:
        words = f"must be in the range [{_HOUR}, {most}]"
        problems.append(fields.invalid(_SPEC["maxExpirationSeconds"], seconds, words))
    return problems + _key(spec)


def _annotation(key: str, path: fields.Path) -> checks.Errors:
    """Prefixed by a domain."""
    domain, slash, rest = key.partition("/")
    if not slash or not domain or not rest:
        return [fields.invalid(path, key, 'must be a domain-prefixed key (such as "acme.io/foo")')]
    return checks.named(key, names.qualified_name, path)


def _key(spec: certificates_v1beta1.PodCertificateRequestSpec) -> checks.Errors:
    stub, key, proof = spec.stubPKCS10Request, spec.pkixPublicKey, spec.proofOfPossession
    if bool(stub) == bool(key) or bool(key) != bool(proof):
        words = "exactly one of (stubPKCS10Request) or (pkixPublicKey, proofOfPossession) must be set"
        return [fields.FieldError(fields.INVALID, str(_SPEC), f"Invalid value: {words}")]
    for name in _BYTES:
        if len(base64.b64decode(getattr(spec, name))) > _MAX_KEY:
            return [fields.too_long(_SPEC[name], _MAX_KEY)]
    problem = pod_certificates.wrong_key(spec)
    return [] if problem is None else [problem]


def validate_update(new: Request, old: Request) -> checks.Errors:
    return checks.immutable(new.spec, old.spec, _SPEC)


def validate_status(new: Request, old: Request) -> checks.Errors:
    path = _STATUS["conditions"]
    problems: checks.Errors = []
    known = 0
    for index, condition in enumerate(new.status.conditions):
        # Upstream writes the index as a field of its own.
        at = path[f"[{index}]"]
        if condition.type not in _FINAL:
            problems.append(fields.not_supported(at["type"], condition.type, _FINAL))
            continue
        known += 1
        if known > 1:
            words = 'There may be at most one condition with type "Issued", "Denied", or "Failed"'
            problems.append(fields.invalid(at["type"], condition.type, words))
        problems += checks.one_of(condition.status, ("True",), at["status"])
    problems += conditions.validate(new.status.conditions, path)
    if problems:
        return problems
    if any(_is(old, name) for name in _FINAL):
        words = "immutable after PodCertificateRequest is issued, denied, or failed"
        return _same(new.status, old.status, words)
    if _is(new, "Denied") or _is(new, "Failed"):
        bare = certificates_v1beta1.PodCertificateRequestStatus(conditions=new.status.conditions)
        words = "non-condition status fields must be empty when denying or failing the PodCertificateRequest"
        return _same(new.status, bare, words)
    if _is(new, "Issued"):
        problem = pod_certificates.wrong_certificate(new)
        return [] if problem is None else [problem]
    words = 'status is immutable unless transitioning to "Issued", "Denied", or "Failed"'
    return _same(new.status, old.status, words)


def _same(
    new: certificates_v1beta1.PodCertificateRequestStatus,
    wanted: certificates_v1beta1.PodCertificateRequestStatus,
    words: str,
) -> checks.Errors:
    if checks.same(new, wanted):
        return []
    return [fields.FieldError(fields.INVALID, str(_STATUS), f"Invalid value: {words}")]


def _is(request: Request, name: str) -> bool:
    return any(c.type == name and c.status == "True" for c in request.status.conditions)


def row(request: Request, _: float) -> Sequence[kind.Cell]:
    spec = request.spec
    states = [c.type for c in request.status.conditions if c.type in _FINAL]
    state = states[-1] if states else "Pending"
    told = ",".join(f"{key}={value}" for key, value in sorted(spec.unverifiedUserAnnotations.items())) or "<none>"
    name = request.metadata.name
    return name, spec.podName, spec.serviceAccountName, spec.nodeName, spec.signerName, state, told


def selectable(request: Request) -> Mapping[str, str]:
    spec = request.spec
    return {"spec.signerName": spec.signerName, "spec.podName": spec.podName, "spec.nodeName": spec.nodeName}


KIND: kind.Kind[Request] = kind.Kind(
    resource=kind.resource("certificates.k8s.io", "v1beta1", "podcertificaterequests"),
    default=default,
    validate=validate,
    validate_update=validate_update,
    validate_status=validate_status,
    # The spec cannot change, so that what was wrong at its creation may stay wrong.
    ratchets=True,
    allow_unconditional_update=False,
    has_status=True,
    columns=(
        kind.NAME,
        kind.Column("PodName"),
        kind.Column("ServiceAccountName"),
        kind.Column("NodeName"),
        kind.Column("SignerName"),
        kind.Column("State"),
        kind.Column("UnverifiedUserAnnotations", priority=1),
    ),
    row=row,
    field_labels=("spec.signerName", "spec.podName", "spec.nodeName"),
    selectable=selectable,
)
