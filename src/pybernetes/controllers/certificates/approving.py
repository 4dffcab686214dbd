"""Approves what kubelets ask for to be known by, where who asks may have that."""

from __future__ import annotations

import logging

from pybernetes.api import codecs
from pybernetes.api.types import authorization_v1, certificates_v1
from pybernetes.controllers.certificates import conditions
from pybernetes.controllers.context import Context
from pybernetes.informers import key_of

log = logging.getLogger(__name__)

NAME = "certificatesigningrequest-approving-controller"
# What who asks must be allowed to create, and what then is said.
_OWN = "selfnodeclient", "Auto approving self kubelet client certificate after SubjectAccessReview."
_OTHER = "nodeclient", "Auto approving kubelet client certificate after SubjectAccessReview."

# Who asks may come to be allowed; nothing tells when, so it is asked again, in seconds.
AGAIN = 60.0


class Approving:
    """The controller. Work items are requests."""

    def __init__(self, context: Context) -> None:
        self._context, self._client = context, context.client
        self._queue = context.queue(NAME)
        self._requests = context.informers.of(certificates_v1.CertificateSigningRequest)
        self._requests.on_change(self._changed)

    async def run(self) -> None:
        await self._context.reconcile(NAME, self._queue, self.reconcile, after=(self._requests,))

    def _changed(self, old: conditions.Request | None, new: conditions.Request | None) -> None:
        if new is not None and _is_open(new):
            self._queue.add(key_of(new), "CertificateSigningRequest changed")

    async def reconcile(self, key: str) -> float | None:
        request = self._requests.cache.get(key)
        if request is None or not _is_open(request):
            return None
        from pybernetes.controllers.certificates import checking

        asked = checking.parse(request.spec.request)
        if request.spec.signerName != checking.KUBELET_CLIENT:
            return None
        try:
            checking.check_kubelet_client(asked, request.spec.usages)
        except checking.Unfit:
            return None
        tried = [_OTHER]
        if request.spec.username == checking.common_name(asked):
            tried.insert(0, _OWN)
        for subresource, message in tried:
            if await self._may_create(request, subresource):
                await self._approve(request, message)
                return None
        log.info("%s is recognized as %s, but may not be created", key, [subresource for subresource, _ in tried])
        return AGAIN

    async def _may_create(self, request: conditions.Request, subresource: str) -> bool:
        spec = request.spec
        review = authorization_v1.SubjectAccessReview(
            spec=authorization_v1.SubjectAccessReviewSpec(
                user=spec.username,
                uid=spec.uid,
                groups=spec.groups,
                extra=spec.extra,
                resourceAttributes=authorization_v1.ResourceAttributes(
                    group="certificates.k8s.io",
                    version="*",
                    resource="certificatesigningrequests",
                    subresource=subresource,
                    verb="create",
                ),
            )
        )
        answered = await self._client.create(review)
        return answered.status.allowed

    async def _approve(self, request: conditions.Request, message: str) -> None:
        copy = codecs.copy(request)
        approved = certificates_v1.CertificateSigningRequestCondition(
            type="Approved", status="True", reason="AutoApproved", message=message
        )
        copy.status.conditions.append(approved)
        await self._client.update(copy, subresource="approval")


def _is_open(request: conditions.Request) -> bool:
    decided = conditions.has(request, "Approved") or conditions.has(request, "Denied")
    return not request.status.certificate and not decided
