"""What an API server is told at its start."""

from __future__ import annotations

import pathlib
import ssl
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric import rsa

from pybernetes.apiserver import request as requests

API_AUDIENCE = "https://kubernetes.default.svc.cluster.local"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """`service_account_key` signs tokens; `kubelet_tls` is the client side towards kubelets.

    `event_ttl` is in seconds; `node_ports` first and last port; `advertise` the address clients are told.
    """

    service_account_key: rsa.RSAPrivateKey
    advertise: tuple[str, int] = ("127.0.0.1", 6443)
    service_cidr: str = "10.96.0.0/12"
    node_ports: tuple[int, int] = (30000, 32767)
    issuer: str = API_AUDIENCE
    audiences: tuple[str, ...] = (API_AUDIENCE,)
    tokens: dict[str, requests.User] = field(default_factory=dict)
    anonymous: bool = True
    kubelet_tls: ssl.SSLContext | None = None
    event_ttl: float = 3600.0
    compaction_interval: float = 300.0
    client_ca: pathlib.Path | None = None
    max_backlog: int = 16 * 1024 * 1024
