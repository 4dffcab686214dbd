"""Signs what was approved for one of the cluster's own signers."""

from __future__ import annotations

import base64

from pybernetes.api import codecs, times
from pybernetes.api.types import certificates_v1
from pybernetes.controllers.certificates import conditions
from pybernetes.controllers.context import Context
from pybernetes.informers import key_of

NAME = "certificatesigningrequest-signing-controller"


class Signing:
    """The controller. Work items are requests. Without a signing key it signs nothing."""

    def __init__(self, context: Context) -> None:
        self._context, self._client, self._settings = context, context.client, context.settings
        self._queue = context.queue(NAME)
        self._requests = context.informers.of(certificates_v1.CertificateSigningRequest)
        if self._settings.signing_key:
            self._requests.on_change(self._changed)

    async def run(self) -> None:
        await self._context.reconcile(NAME, self._queue, self.reconcile, after=(self._requests,))

    def _changed(self, old: conditions.Request | None, new: conditions.Request | None) -> None:
        if new is not None and _is_due(new):
            self._queue.add(key_of(new), "CertificateSigningRequest is approved")

    async def reconcile(self, key: str) -> None:
        request = self._requests.cache.get(key)
        if request is None or not _is_due(request):
            return
        # Imported here, because few clusters sign anything in their first moments.
        from pybernetes.controllers.certificates import checking, issuing

        spec = request.spec
        if spec.signerName not in checking.SIGNERS:
            return
        asked = checking.parse(spec.request)
        copy = codecs.copy(request)
        try:
            checking.check(spec.signerName, asked, spec.usages)
        except checking.Unfit as unfit:
            stamp = times.to_time(self._context.clock.time())
            failed = certificates_v1.CertificateSigningRequestCondition(
                type="Failed", status="True", reason="SignerValidationFailure", message=str(unfit), lastUpdateTime=stamp
            )
            copy.status.conditions.append(failed)
        else:
            authority = issuing.Authority(
                self._settings.signing_certificate,
                self._settings.signing_key,
                longest=self._settings.signing_duration,
            )
            certificate = authority.issue(
                asked,
                spec.usages,
                asked=spec.expirationSeconds,
                now=self._context.clock.time(),
                serial=self._context.chance.token(16),
            )
            copy.status.certificate = base64.b64encode(certificate).decode()
        await self._client.update_status(copy)


def _is_due(request: conditions.Request) -> bool:
    return not request.status.certificate and conditions.is_approved(request) and not conditions.has(request, "Failed")
