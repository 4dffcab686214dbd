"""Deletes requests that nobody needs any more: long answered, long unanswered, or of a certificate that has expired."""

from __future__ import annotations

import base64

from pybernetes.api import errors, times
from pybernetes.api.types import certificates_v1
from pybernetes.controllers.certificates import conditions
from pybernetes.controllers.context import Context
from pybernetes.informers import key_of

NAME = "certificatesigningrequest-cleaner-controller"
# Seconds.
ANSWERED = 3600.0
UNANSWERED = 24 * 3600.0


def due(request: conditions.Request) -> float | None:
    """When the request is to go, as a time in seconds; None: not for any time that has come."""
    issued = bool(request.status.certificate)
    ends: list[float] = []
    for condition in request.status.conditions:
        if not condition.lastUpdateTime:
            continue
        told = times.parse(condition.lastUpdateTime)
        if condition.type in ("Denied", "Failed"):
            ends.append(told + ANSWERED)
        elif condition.type == "Approved":
            ends.append(told + (ANSWERED if issued else UNANSWERED))
    if not request.status.conditions and request.metadata.creationTimestamp:
        ends.append(times.parse(request.metadata.creationTimestamp) + UNANSWERED)
    if issued and conditions.is_approved(request):
        expires = _expires(request.status.certificate)
        if expires is not None:
            ends.append(expires)
    return min(ends, default=None)


def _expires(certificate: str) -> float | None:
    from cryptography import x509

    try:
        return x509.load_pem_x509_certificates(base64.b64decode(certificate))[0].not_valid_after_utc.timestamp()
    except ValueError:
        return None


class Cleaning:
    """The controller. Work items are requests."""

    def __init__(self, context: Context) -> None:
        self._context, self._client = context, context.client
        self._queue = context.queue(NAME)
        self._requests = context.informers.of(certificates_v1.CertificateSigningRequest)
        self._requests.on_change(self._changed)

    async def run(self) -> None:
        await self._context.reconcile(NAME, self._queue, self.reconcile, after=(self._requests,), workers=1)

    def _changed(self, old: conditions.Request | None, new: conditions.Request | None) -> None:
        if new is not None:
            self._queue.add(key_of(new), "CertificateSigningRequest changed")

    async def reconcile(self, key: str) -> float | None:
        request = self._requests.cache.get(key)
        at = due(request) if request is not None else None
        if request is None or at is None:
            return None
        left = at - self._context.clock.time()
        if left >= 0:
            return left + 1.0
        try:
            await self._client.delete(certificates_v1.CertificateSigningRequest, key, uid=request.metadata.uid)
        except errors.StatusError as error:
            if error.reason != "NotFound":
                raise
        return None
