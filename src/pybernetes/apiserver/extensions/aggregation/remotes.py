"""One group and version that another server serves."""

from __future__ import annotations

import base64
import binascii
import ssl
from dataclasses import dataclass, field
from typing import Any

from pybernetes.api.types import apiregistration_v1

Key = tuple[str, str]
DEFAULT_PORT = 443


@dataclass(slots=True, kw_only=True)
class Remote:
    """`available` is what its APIService says, `resources` its APIResourceList, None before it has been seen;
    `openapi` is where the other server has its OpenAPI document, "" for nowhere. `tls` says how it is trusted."""

    name: str
    key: Key
    namespace: str
    service: str
    port: int
    group_priority: int
    version_priority: int
    tls: ssl.SSLContext
    available: bool = False
    resources: list[dict[str, Any]] | None = None
    openapi: str = field(default="")

    @property
    def group_version(self) -> str:
        return "/".join(self.key)


def of(service: apiregistration_v1.APIService, client: tuple[str, str] | None) -> Remote:
    """`client` are the files of the certificate and key that we show. Raises ValueError for a bad `caBundle`."""
    spec, reference = service.spec, service.spec.service
    if reference is None:
        raise ValueError(f"{service.metadata.name} is our own")
    return Remote(
        name=service.metadata.name,
        key=(spec.group, spec.version),
        namespace=reference.namespace,
        service=reference.name,
        port=reference.port or DEFAULT_PORT,
        group_priority=spec.groupPriorityMinimum,
        version_priority=spec.versionPriority,
        tls=_trust(spec.caBundle or "", bool(spec.insecureSkipTLSVerify), client),
        available=any(one.type == "Available" and one.status == "True" for one in service.status.conditions),
    )


def _trust(bundle: str, anybody: bool, client: tuple[str, str] | None) -> ssl.SSLContext:
    try:
        text = base64.b64decode(bundle).decode().strip()
        context = ssl.create_default_context(cadata=text or None)
    except (binascii.Error, UnicodeDecodeError, ssl.SSLError, ValueError):
        raise ValueError("unable to load root certificates: unable to parse bytes as PEM block") from None
    if anybody:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if client is not None:
        context.load_cert_chain(*client)
    return context
