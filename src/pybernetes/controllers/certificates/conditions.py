"""Facts about CertificateSigningRequests that their controllers decide by."""

from __future__ import annotations

from pybernetes.api.types import certificates_v1
from pybernetes.controllers import conditions

Request = certificates_v1.CertificateSigningRequest


def has(request: Request, kind: str) -> bool:
    """Whether it has that condition at all; a request cannot be `Approved` and not approved."""
    return conditions.find(request.status.conditions, kind) is not None


def is_approved(request: Request) -> bool:
    return has(request, "Approved") and not has(request, "Denied")
