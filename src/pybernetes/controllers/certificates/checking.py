"""What each of the cluster's signers lets be asked for. Pure; words are upstream's."""

from __future__ import annotations

import base64
from collections.abc import Collection, Sequence

from cryptography import x509
from cryptography.x509.oid import NameOID

CLIENT = "kubernetes.io/kube-apiserver-client"
KUBELET_CLIENT = "kubernetes.io/kube-apiserver-client-kubelet"
KUBELET_SERVING = "kubernetes.io/kubelet-serving"
LEGACY = "kubernetes.io/legacy-unknown"
SIGNERS = frozenset((CLIENT, KUBELET_CLIENT, KUBELET_SERVING, LEGACY))

NODES, NODE_PREFIX = "system:nodes", "system:node:"
# Elliptic keys encipher nothing, so that usage may be left out.
_OPTIONAL = "key encipherment"
_ALL_NAMES = (
    ("DNS", x509.DNSName),
    ("Email", x509.RFC822Name),
    ("IP", x509.IPAddress),
    ("URI", x509.UniformResourceIdentifier),
)


class Unfit(Exception):
    """The request is not one that its signer signs; says why."""


def parse(request: str) -> x509.CertificateSigningRequest:
    """Of what a CertificateSigningRequest carries, PEM in base64. Raises ValueError."""
    return x509.load_pem_x509_csr(base64.b64decode(request))


def common_name(request: x509.CertificateSigningRequest) -> str:
    found = request.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[-1].value) if found else ""


def check(signer: str, request: x509.CertificateSigningRequest, usages: Sequence[str]) -> None:
    """Raises Unfit."""
    if signer == CLIENT:
        _check_client(usages)
    elif signer == KUBELET_CLIENT:
        check_kubelet_client(request, usages)
    elif signer == KUBELET_SERVING:
        _check_kubelet_serving(request, usages)


def _check_client(usages: Sequence[str]) -> None:
    for usage in usages:
        if usage not in ("client auth", "digital signature", _OPTIONAL):
            raise Unfit(f"invalid usage for client certificate: {usage}")
    if "client auth" not in usages:
        raise Unfit("missing required usage for client certificate: client auth")


def check_kubelet_client(request: x509.CertificateSigningRequest, usages: Sequence[str]) -> None:
    """Raises Unfit where it is not what a kubelet asks to be known by."""
    _check_organization(request)
    _refuse_names(request, ("DNS", "Email", "IP", "URI"))
    _check_node(request)
    _check_usages(usages, "client auth")


def _check_kubelet_serving(request: x509.CertificateSigningRequest, usages: Sequence[str]) -> None:
    _check_organization(request)
    if not {"DNS", "IP"} & _named(request):
        raise Unfit("DNS or IP subjectAltName is required")
    _refuse_names(request, ("Email", "URI"))
    _check_usages(usages, "server auth")
    _check_node(request)


def _check_organization(request: x509.CertificateSigningRequest) -> None:
    found = [one.value for one in request.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)]
    if found != [NODES]:
        raise Unfit(f"subject organization is not {NODES}")


def _check_node(request: x509.CertificateSigningRequest) -> None:
    if not common_name(request).startswith(NODE_PREFIX):
        raise Unfit(f"subject common name does not begin with {NODE_PREFIX}")


def _check_usages(usages: Sequence[str], purpose: str) -> None:
    wanted = {"digital signature", _OPTIONAL, purpose}
    if set(usages) not in (wanted, wanted - {_OPTIONAL}):
        raise Unfit(f"usages did not match [{' '.join(sorted(wanted))}]")


def _named(request: x509.CertificateSigningRequest) -> set[str]:
    """The kinds of alternative names it asks for."""
    try:
        names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return set()
    return {word for word, kind in _ALL_NAMES if any(isinstance(name, kind) for name in names)}


def _refuse_names(request: x509.CertificateSigningRequest, words: Collection[str]) -> None:
    found = _named(request)
    for word in words:
        if word in found:
            raise Unfit(f"{word} subjectAltNames are not allowed")
