"""CertificateApproval, CertificateSigning, ClusterTrustBundleAttest: to act in a signer's name takes a right to it.

And CertificateSubjectRestriction: nobody gets a client certificate for system:masters by asking.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

from pybernetes.api import codecs
from pybernetes.api.types import certificates_v1
from pybernetes.apiserver import request as requests
from pybernetes.apiserver.admission import plugin
from pybernetes.apiserver.authz import authorizer as authorizers

_REQUESTS = "certificatesigningrequests.certificates.k8s.io"
_CLIENT = "kubernetes.io/kube-apiserver-client"


async def is_authorized(authorizer: authorizers.Authorizer, user: requests.User, verb: str, signer: str) -> bool:
    """For the signer, or for all of its domain."""
    for name in (signer, f"{signer.partition('/')[0]}/*"):
        asked = requests.Attributes(verb, "", group="certificates.k8s.io", version="*", resource="signers", name=name)
        if (await authorizers.decided(authorizer, user, asked)).allowed:
            return True
    return False


def subject(request: str) -> dict[str, list[str]]:
    """The subject of a PKCS#10 request (PEM in base64), by the names of its attributes. Raises ValueError."""
    from cryptography import x509

    try:
        parsed = x509.load_pem_x509_csr(base64.b64decode(request))
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"PEM block type must be CERTIFICATE REQUEST: {error}") from None
    found: dict[str, list[str]] = {}
    for attribute in parsed.subject:
        found.setdefault(attribute.rfc4514_attribute_name, []).append(str(attribute.value))
    return found


class CertificateApproval(plugin.Plugin):
    name = "CertificateApproval"
    operations = (plugin.UPDATE,)
    resources = (f"{_REQUESTS}/approval",)

    def __init__(self, authorizer: authorizers.Authorizer) -> None:
        self._authorizer = authorizer

    async def validate(self, attributes: plugin.Attributes) -> None:
        # The old one counts: who approves may not change what is approved.
        signer = attributes.old.spec.signerName
        if not await is_authorized(self._authorizer, attributes.user, "approve", signer):
            raise attributes.forbidden(f'user not permitted to approve requests with signerName "{signer}"')


class CertificateSigning(plugin.Plugin):
    name = "CertificateSigning"
    operations = (plugin.UPDATE,)
    resources = (f"{_REQUESTS}/status",)

    def __init__(self, authorizer: authorizers.Authorizer) -> None:
        self._authorizer = authorizer

    async def validate(self, attributes: plugin.Attributes) -> None:
        new: certificates_v1.CertificateSigningRequestStatus = attributes.obj.status
        old: certificates_v1.CertificateSigningRequestStatus = attributes.old.status
        if new.certificate == old.certificate and new.conditions == old.conditions:
            return
        signer = attributes.old.spec.signerName
        if not await is_authorized(self._authorizer, attributes.user, "sign", signer):
            raise attributes.forbidden(f'user not permitted to sign requests with signerName "{signer}"')


class CertificateSubjectRestriction(plugin.Plugin):
    name = "CertificateSubjectRestriction"
    operations = (plugin.CREATE,)
    resources = (_REQUESTS,)

    async def validate(self, attributes: plugin.Attributes) -> None:
        spec: certificates_v1.CertificateSigningRequestSpec = attributes.obj.spec
        if spec.signerName != _CLIENT:
            return
        try:
            groups = subject(spec.request).get("O", [])
        except ValueError as error:
            raise attributes.forbidden(f"failed to parse CSR: {error}") from None
        if "system:masters" in groups:
            raise attributes.forbidden(f"use of {_CLIENT} signer with system:masters group is not allowed")


class ClusterTrustBundleAttest(plugin.Plugin):
    name = "ClusterTrustBundleAttest"
    operations = (plugin.CREATE, plugin.UPDATE)
    resources = ("clustertrustbundles.certificates.k8s.io",)

    def __init__(self, authorizer: authorizers.Authorizer) -> None:
        self._authorizer = authorizer

    async def validate(self, attributes: plugin.Attributes) -> None:
        signer = attributes.obj.spec.signerName or ""
        if not signer or (attributes.old is not None and _is_same(attributes.obj, attributes.old)):
            return
        if not await is_authorized(self._authorizer, attributes.user, "attest", signer):
            raise attributes.forbidden(f'user not permitted to attest for signerName "{signer}"')


def _is_same(new: Any, old: Any) -> bool:
    """But for what garbage collection changes."""
    return codecs.encode(_collected(new)) == codecs.encode(_collected(old))


def _collected(obj: Any) -> Any:
    tree = codecs.to_tree(obj)
    for name in ("ownerReferences", "finalizers", "managedFields", "resourceVersion"):
        tree["metadata"].pop(name, None)
    return tree
