"""CertificateSigningRequests: what is asked for is fixed at creation; approval and issuing have their own ways in."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence

from pybernetes.api import codecs, fields
from pybernetes.api.types import certificates_v1
from pybernetes.apiserver.resources import cells, checks, kind
from pybernetes.apiserver.resources.certificates import pem, signers
from pybernetes.apiserver.resources.core import base64s

_SPEC = fields.Path("spec")
_CONDITIONS = fields.Path("status")["conditions"]
_CERTIFICATE = fields.Path("status")["certificate"]
_APPROVAL = ("Approved", "Denied")
_FINAL = (*_APPROVAL, "Failed")
_LEGACY = "kubernetes.io/legacy-unknown"
_USAGES = frozenset(
    {
        "any",
        "cert sign",
        "client auth",
        "code signing",
        "content commitment",
        "crl sign",
        "data encipherment",
        "decipher only",
        "digital signature",
        "email protection",
        "encipher only",
        "ipsec end system",
        "ipsec tunnel",
        "ipsec user",
        "key agreement",
        "key encipherment",
        "microsoft sgc",
        "netscape sgc",
        "ocsp signing",
        "s/mime",
        "server auth",
        "signing",
        "timestamping",
    }
)

Request = certificates_v1.CertificateSigningRequest


def default(csr: Request) -> None:
    base64s.check({"request": csr.spec.request, "certificate": csr.status.certificate}, csr)


def stamp(new: Request, old: Request | None, subresource: str, writing: kind.Writing) -> None:
    """Who asks is the one who creates; conditions are dated."""
    if old is None:
        user = writing.user
        new.spec.username, new.spec.uid, new.spec.groups = user.name, user.uid, list(user.groups)
        new.spec.extra = {key: list(values) for key, values in user.extra}
        return
    if not subresource:
        return
    for condition in new.status.conditions:
        condition.lastUpdateTime = condition.lastUpdateTime or writing.time
        if condition.lastTransitionTime is None:
            before = (c for c in old.status.conditions if (c.type, c.status) == (condition.type, condition.status))
            condition.lastTransitionTime = next(
                (c.lastTransitionTime for c in before if c.lastTransitionTime is not None), writing.time
            )


def prepare_update(new: Request, old: Request) -> None:
    new.spec, new.status = old.spec, old.status


def prepare_status(new: Request, old: Request) -> None:
    """Approval has its own subresource: where no such condition came or went, the old ones stay."""
    for name in _APPROVAL:
        was = _of_type(old, name)
        places = [index for index, condition in enumerate(new.status.conditions) if condition.type == name]
        if len(was) == len(places):
            for place, condition in zip(places, was, strict=True):
                new.status.conditions[place] = codecs.copy(condition)


def prepare_approval(new: Request, old: Request) -> None:
    conditions = new.status.conditions
    new.spec, new.status = old.spec, codecs.copy(old.status)
    new.status.conditions = conditions


def validate(csr: Request) -> checks.Errors:
    return _problems(csr, None)


def _problems(csr: Request, old: Request | None) -> checks.Errors:
    """What is wrong; mistakes that the stored object has already may stay."""
    spec = csr.spec
    problems = _request(spec.request)
    if not spec.usages:
        problems.append(fields.required(_SPEC["usages"]))
    usages = old.spec.usages if old is not None else []
    if all(usage in _USAGES for usage in usages):
        for index, usage in enumerate(spec.usages):
            problems += checks.one_of(usage, sorted(_USAGES), _SPEC["usages"][index])
    if len(set(usages)) == len(usages):
        for index, usage in enumerate(spec.usages):
            if usage in spec.usages[:index]:
                problems.append(fields.duplicate(_SPEC["usages"][index], usage))
    if spec.signerName == _LEGACY and (old is None or old.spec.signerName != _LEGACY):
        words = "the legacy signerName is not allowed via this API version"
        problems.append(fields.invalid(_SPEC["signerName"], spec.signerName, words))
    else:
        problems += signers.validate(spec.signerName, _SPEC["signerName"])
    if spec.expirationSeconds is not None and spec.expirationSeconds < 600:
        words = "may not specify a duration less than 600 seconds (10 minutes)"
        problems.append(fields.invalid(_SPEC["expirationSeconds"], spec.expirationSeconds, words))
    problems += _conditions(csr, old)
    if old is None or old.status.certificate != csr.status.certificate:
        problems += _certificate(csr.status.certificate)
    return problems


def _request(encoded: str) -> checks.Errors:
    # Cryptography is large, and most API servers never see a request.
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

    path = _SPEC["request"]
    block = next(pem.blocks(base64.b64decode(encoded)), None)
    if block is None or block.type != "CERTIFICATE REQUEST":
        return [fields.invalid(path, encoded, "PEM block type must be CERTIFICATE REQUEST")]
    try:
        if not x509.load_der_x509_csr(block.data).is_signature_valid:
            return [fields.invalid(path, encoded, "x509: invalid signature")]
    except (InvalidSignature, UnsupportedAlgorithm, ValueError) as error:
        return [fields.invalid(path, encoded, str(error))]
    return []


def _certificate(encoded: str) -> checks.Errors:
    if not encoded:
        return []
    from cryptography import x509

    def wrong(words: str) -> checks.Errors:
        return [fields.invalid(_CERTIFICATE, "<certificate data>", words)]

    found = False
    for block in pem.blocks(base64.b64decode(encoded)):
        if block.type != "CERTIFICATE":
            return wrong(f'only CERTIFICATE PEM blocks are allowed, found "{block.type}"')
        if block.has_headers:
            return wrong("no PEM block headers are permitted")
        if not block.data:
            return wrong("found CERTIFICATE PEM block containing 0 certificates")
        try:
            x509.load_der_x509_certificate(block.data)
        except ValueError as error:
            return wrong(str(error))
        found = True
    return [] if found else wrong("must contain at least one CERTIFICATE PEM block")


def _conditions(csr: Request, old: Request | None) -> checks.Errors:
    was = [condition.type for condition in old.status.conditions] if old is not None else []
    problems: checks.Errors = []
    seen: set[str] = set()
    for index, condition in enumerate(csr.status.conditions):
        path = _CONDITIONS[index]
        if not condition.type and "" not in was:
            problems.append(fields.required(path["type"]))
        statuses = ("True",) if condition.type in _FINAL else ("False", "True", "Unknown")
        problems += checks.required_one_of(condition.status, statuses, path["status"])
        other = {"Approved": "Denied", "Denied": "Approved"}.get(condition.type)
        if other in seen and not {"Approved", "Denied"} <= set(was):
            words = "Approved and Denied conditions are mutually exclusive"
            problems.append(fields.invalid(_CONDITIONS, condition.type, words))
        if condition.type in seen and len(set(was)) == len(was):
            problems.append(fields.duplicate(path["type"], condition.type))
        seen.add(condition.type)
    return problems


def _of_type(csr: Request, name: str) -> list[certificates_v1.CertificateSigningRequestCondition]:
    return [condition for condition in csr.status.conditions if condition.type == name]


def _update(new: Request, old: Request, *, approves: bool = False, issues: bool = False) -> checks.Errors:
    problems = _problems(new, old)
    for name in _FINAL:
        if len(_of_type(new, name)) < len(_of_type(old, name)):
            words = f'updates may not remove a condition of type "{name}"'
            problems.append(fields.forbidden(_CONDITIONS, words))
    if not approves:
        for name in _APPROVAL:
            after, before = _of_type(new, name), _of_type(old, name)
            if len(after) > len(before):
                words = f'updates may not add a condition of type "{name}"'
                problems.append(fields.forbidden(_CONDITIONS, words))
            elif len(after) == len(before) and not checks.same(after, before):
                words = f'updates may not modify a condition of type "{name}"'
                problems.append(fields.forbidden(_CONDITIONS, words))
    if new.status.certificate != old.status.certificate:
        if not issues:
            problems.append(fields.forbidden(_CERTIFICATE, "updates may not set certificate content"))
        elif old.status.certificate:
            problems.append(fields.forbidden(_CERTIFICATE, "updates may not modify existing certificate content"))
    return problems


def validate_update(new: Request, old: Request) -> checks.Errors:
    return _update(new, old)


def validate_status(new: Request, old: Request) -> checks.Errors:
    return _update(new, old, issues=True)


def validate_approval(new: Request, old: Request) -> checks.Errors:
    return _update(new, old, approves=True)


def row(csr: Request, now: float) -> Sequence[kind.Cell]:
    seconds = csr.spec.expirationSeconds
    return (
        csr.metadata.name,
        cells.age(csr.metadata, now),
        csr.spec.signerName or "<none>",
        csr.spec.username,
        "<none>" if seconds is None else cells.duration(seconds),
        _state(csr),
    )


def _state(csr: Request) -> str:
    types = {condition.type for condition in csr.status.conditions}
    state = next((name for name in ("Denied", "Approved") if name in types), "Pending")
    if "Failed" in types:
        state += ",Failed"
    return state + (",Issued" if csr.status.certificate else "")


def selectable(csr: Request) -> Mapping[str, str]:
    return {"spec.signerName": csr.spec.signerName}


KIND: kind.Kind[Request] = kind.Kind(
    resource=kind.resource("certificates.k8s.io", "v1", "certificatesigningrequests"),
    default=default,
    prepare_update=prepare_update,
    prepare_status=prepare_status,
    stamp=stamp,
    parts={"approval": kind.Part(prepare=prepare_approval, validate=validate_approval)},
    validate=validate,
    validate_update=validate_update,
    validate_status=validate_status,
    # The spec cannot change, so that what was wrong at its creation may stay wrong.
    ratchets=True,
    check_name=lambda _: (),
    has_status=True,
    columns=(
        kind.NAME,
        kind.AGE,
        kind.Column("SignerName"),
        kind.Column("Requestor"),
        kind.Column("RequestedDuration"),
        kind.Column("Condition"),
    ),
    row=row,
    field_labels=("spec.signerName",),
    selectable=selectable,
)
