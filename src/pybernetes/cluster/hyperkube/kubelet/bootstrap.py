"""How a kubelet comes to a name of its own (TLS bootstrapping): it asks for a certificate, as somebody who may ask.

The request is approved by a controller, or by a person with `kubectl certificate approve`. The key is kept until then,
so that a kubelet that was started again goes on waiting for the same request.
"""

from __future__ import annotations

import base64
import hashlib
import logging
import pathlib
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from pybernetes import client as clients
from pybernetes.api import errors
from pybernetes.api.types import certificates_v1, meta_v1
from pybernetes.client import kubeconfig
from pybernetes.cluster import pki
from pybernetes.kits import backoff
from pybernetes.kits import clock as clocks

log = logging.getLogger(__name__)

SIGNER = "kubernetes.io/kube-apiserver-client-kubelet"
GROUP = "system:nodes"
USAGES = ["digital signature", "client auth"]
CURRENT, UNCERTIFIED = "kubelet-client-current.pem", "kubelet-client.key.tmp"
Key = ec.EllipticCurvePrivateKey


class Refused(Exception):
    """Whoever decides has decided against it, or the request is gone."""


async def run(
    *, ask_with: pathlib.Path, write_to: pathlib.Path, folder: pathlib.Path, node: str, agent: str, clock: clocks.Clock
) -> None:
    """Make a kubeconfig for the node. `ask_with` is one of somebody who may ask, `folder` has keys.

    Raises Refused, KubeconfigError.
    """
    client = kubeconfig.client(ask_with, user_agent=agent)
    try:
        key = _key(folder / UNCERTIFIED)
        certificate = await _certificate(client, key, node, clock)
    finally:
        await client.close()
    pair = folder / CURRENT
    pki.write(pair, certificate + pki.pem(key))
    kubeconfig.write(write_to, _config(kubeconfig.read(ask_with), pair))
    (folder / UNCERTIFIED).unlink(missing_ok=True)


async def _certificate(client: clients.Client, key: Key, node: str, clock: clocks.Clock) -> bytes:
    wanted, pauses, asked = _request(key, node), backoff.Backoff(first=0.5, cap=15.0), ""
    while True:
        try:
            if not asked:
                asked = await _ask(client, wanted)
                log.info("waiting for the certificate signing request %s to be approved", wanted.metadata.name)
            return await _issued(client, wanted.metadata.name, asked)
        except (errors.StatusError, ConnectionError) as error:
            log.warning("no certificate yet: %s", error)
            await clock.sleep(pauses.next())


async def _ask(client: clients.Client, wanted: certificates_v1.CertificateSigningRequest) -> str:
    """Its uid; that of the one asked for before, if there is."""
    try:
        return (await client.create(wanted)).metadata.uid
    except errors.StatusError as error:
        if error.reason != "AlreadyExists":
            raise
    return (await client.get(certificates_v1.CertificateSigningRequest, wanted.metadata.name)).metadata.uid


async def _issued(client: clients.Client, name: str, uid: str) -> bytes:
    """The certificate (PEM), once there is one."""
    kind = certificates_v1.CertificateSigningRequest
    while True:
        async with client.watch(kind, fields=f"metadata.name={name}", initial_events=True) as stream:
            while batch := await stream.next():
                for event in batch:
                    if event.type in ("ADDED", "MODIFIED"):
                        certificate = _certificate_of(event.object, uid)
                        if certificate:
                            return certificate
                    elif event.type == "DELETED":
                        raise Refused(f'csr "{name}" was deleted')


def _certificate_of(found: certificates_v1.CertificateSigningRequest, uid: str) -> bytes:
    """Empty while there is none. Raises Refused in upstream's words."""
    if found.metadata.uid != uid:
        raise Refused(f'csr "{found.metadata.name}" changed UIDs')
    for condition in found.status.conditions:
        if condition.type in ("Denied", "Failed"):
            came = "is denied" if condition.type == "Denied" else "failed"
            why = f"reason: {condition.reason}, message: {condition.message}"
            raise Refused(f"certificate signing request {came}, {why}")
    return base64.b64decode(found.status.certificate)


def _request(key: Key, node: str) -> certificates_v1.CertificateSigningRequest:
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, GROUP),
            x509.NameAttribute(NameOID.COMMON_NAME, f"system:node:{node}"),
        ]
    )
    signed = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    return certificates_v1.CertificateSigningRequest(
        metadata=meta_v1.ObjectMeta(name=_name(key, f"system:node:{node}")),
        spec=certificates_v1.CertificateSigningRequestSpec(
            request=base64.b64encode(signed.public_bytes(serialization.Encoding.PEM)).decode(),
            signerName=SIGNER,
            usages=USAGES,
        ),
    )


def _name(key: Key, user: str) -> str:
    """The same for the same key, as upstream's."""
    public = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    digest = hashlib.new("sha512_256")
    for part in (public, user.encode(), GROUP.encode(), *(usage.encode() for usage in USAGES)):
        digest.update(_unpadded(part) + b"|")
    return f"node-csr-{_unpadded(digest.digest()).decode()}"


def _unpadded(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def _key(path: pathlib.Path) -> Key:
    """The one that has been asked for before, or a new one."""
    if path.is_file():
        try:
            found = serialization.load_pem_private_key(path.read_bytes(), None)
        except ValueError:
            log.warning("%s holds no key; another one is made", path)
        else:
            if isinstance(found, Key):
                return found
    made = ec.generate_private_key(ec.SECP256R1())
    path.parent.mkdir(parents=True, exist_ok=True)
    pki.write(path, pki.pem(made))
    return made


def _config(asked_with: dict[str, Any], pair: pathlib.Path) -> dict[str, Any]:
    """A kubeconfig for the same API server, with the certificate and key of a file."""
    current = asked_with["current-context"]
    context = next(one["context"] for one in asked_with["contexts"] if one["name"] == current)
    cluster = next(one["cluster"] for one in asked_with["clusters"] if one["name"] == context["cluster"])
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "default-cluster", "cluster": cluster}],
        "users": [{"name": "default-auth", "user": {"client-certificate": str(pair), "client-key": str(pair)}}],
        "contexts": [{"name": "default-context", "context": {"cluster": "default-cluster", "user": "default-auth"}}],
        "current-context": "default-context",
    }
