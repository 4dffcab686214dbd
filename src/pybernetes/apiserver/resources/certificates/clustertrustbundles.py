"""ClusterTrustBundles: certificate authorities that pods may trust, of a signer or of nobody in particular."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pybernetes.api import fields, names
from pybernetes.api.types import certificates_v1beta1
from pybernetes.apiserver.resources import checks, kind
from pybernetes.apiserver.resources.certificates import pem, signers

_NAME = fields.Path("metadata")["name"]
_SPEC = fields.Path("spec")
_MAX_SIZE = 1024 * 1024


def validate(bundle: certificates_v1beta1.ClusterTrustBundle) -> checks.Errors:
    return _names(bundle) + _trusted(bundle.spec.trustBundle, _SPEC["trustBundle"])


def validate_update(
    new: certificates_v1beta1.ClusterTrustBundle, old: certificates_v1beta1.ClusterTrustBundle
) -> checks.Errors:
    problems = _names(new)
    if new.spec.trustBundle != old.spec.trustBundle:
        problems += _trusted(new.spec.trustBundle, _SPEC["trustBundle"])
    return problems + checks.immutable(new.spec.signerName, old.spec.signerName, _SPEC["signerName"])


def _names(bundle: certificates_v1beta1.ClusterTrustBundle) -> checks.Errors:
    name, signer = bundle.metadata.name, bundle.spec.signerName
    if not signer:
        if ":" in name:
            words = 'ClusterTrustBundle without signer name must not have ":" in its name'
            return [fields.invalid(_NAME, name, words)]
        return checks.named(name, names.dns_subdomain, _NAME)
    prefix = signer.replace("/", ":") + ":"
    if not name.startswith(prefix):
        words = f"ClusterTrustBundle for signerName {signer} must be named with prefix {prefix}"
        problems = [fields.invalid(_NAME, name, words)]
    else:
        problems = [fields.invalid(_NAME, name, text) for text in names.dns_subdomain(name.removeprefix(prefix))]
    return problems + signers.validate(signer, _SPEC["signerName"])


def _trusted(bundle: str, path: fields.Path) -> checks.Errors:
    """Certificates of authorities, each once, and at least one."""
    if len(bundle.encode()) > _MAX_SIZE:
        return [fields.too_long(path, _MAX_SIZE)]
    problems: checks.Errors = []
    places: dict[bytes, list[int]] = {}
    for index, block in enumerate(pem.blocks(bundle.encode())):
        words = _wrong_with(block)
        if words:
            problems.append(fields.invalid(path, "<value omitted>", f"entry {index} {words}"))
        else:
            places.setdefault(block.data, []).append(index)
    if problems:
        return problems
    if not places:
        return [fields.invalid(path, "<value omitted>", "at least one trust anchor must be provided")]
    repeated = [" ".join(map(str, indices)) for indices in places.values() if len(indices) > 1]
    return [
        fields.invalid(path, "<value omitted>", f"duplicate trust anchor (indices [{indices}])") for indices in repeated
    ]


def _wrong_with(block: pem.Block) -> str:
    from cryptography import x509

    if block.type != "CERTIFICATE":
        return f"has bad block type: {block.type}"
    if block.has_headers:
        return "has PEM block headers"
    try:
        certificate = x509.load_der_x509_certificate(block.data)
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound:
        return "does not have the CA bit set"
    except ValueError:
        return "does not parse as X.509"
    return "" if constraints.ca else "does not have the CA bit set"


def row(bundle: certificates_v1beta1.ClusterTrustBundle, _: float) -> Sequence[kind.Cell]:
    return bundle.metadata.name, bundle.spec.signerName or "<none>"


def selectable(bundle: certificates_v1beta1.ClusterTrustBundle) -> Mapping[str, str]:
    return {"spec.signerName": bundle.spec.signerName}


KIND: kind.Kind[certificates_v1beta1.ClusterTrustBundle] = kind.Kind(
    resource=kind.resource("certificates.k8s.io", "v1beta1", "clustertrustbundles"),
    validate=validate,
    validate_update=validate_update,
    ratchets=True,
    # What a name may be depends on the signer.
    check_name=lambda _: (),
    allow_unconditional_update=False,
    columns=(kind.NAME, kind.Column("SignerName")),
    row=row,
    field_labels=("spec.signerName",),
    selectable=selectable,
)
