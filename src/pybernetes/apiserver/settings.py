"""What an API server is told at its start."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pybernetes.apiserver import request as requests
from pybernetes.apiserver.authn import settings as authentication
from pybernetes.apiserver.authn import signing
from pybernetes.apiserver.authz import modes
from pybernetes.apiserver.storage import encryption

API_AUDIENCE = "https://kubernetes.default.svc.cluster.local"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """`service_account_key` signs tokens, which `service_account_public_keys` may have signed too; of the `issuers` the
    first is whose tokens are made, and all are whose are taken. `kubelet_tls` is the client side towards kubelets,
    `proxy_client` the files of the certificate and key that servers of aggregated APIs know us by.

    `service_cidr` is what the ServiceCIDR `kubernetes` is made of: a range, or one of each IP family, split at a comma.

    `event_ttl` and `compaction_interval` are in seconds, an interval of 0 is never; `node_ports` first and last port;
    `fairness` shares `max_reads + max_writes` requests at once by flow schemas; without it these are plain limits, 0
    for none. `request_timeout` is in seconds; a request waits for a quarter of it at most before it is begun.
    `profiling` serves /debug/pprof and /debug/flags.

    `advertise` the address clients are told. `authorization` lists modes in their order (`authz/modes.py`),
    `admission_on` and `admission_off` name plugins to ask, and not to ask, other than by default; their configuration
    is by their names, as `admission/configuration.py` reads it. `runtime_config` is what `resources/runtime_config.py`
    parses. A server that is told its `hostname` keeps a Lease that says that it is there.
    """

    service_account_key: signing.PrivateKey
    service_account_public_keys: tuple[signing.PublicKey, ...] = ()
    advertise: tuple[str, int] = ("127.0.0.1", 6443)
    hostname: str = ""
    service_cidr: str = "10.96.0.0/12"
    node_ports: tuple[int, int] = (30000, 32767)
    issuers: tuple[str, ...] = (API_AUDIENCE,)
    audiences: tuple[str, ...] = (API_AUDIENCE,)
    tokens: dict[str, requests.User] = field(default_factory=dict)
    anonymous: bool = True
    authentication: authentication.Authentication = field(default_factory=authentication.Authentication)
    authorization: tuple[modes.Mode, ...] = ("Node", "RBAC")
    admission_on: frozenset[str] = frozenset()
    admission_off: frozenset[str] = frozenset()
    admission_configuration: Mapping[str, Any] = field(default_factory=dict)
    allow_privileged: bool = True
    runtime_config: Mapping[str, bool] = field(default_factory=dict)
    proxy_client: tuple[str, str] | None = None
    encryption: encryption.Configuration | None = None
    kubelet_tls: ssl.SSLContext | None = None
    event_ttl: float = 3600.0
    compaction_interval: float = 300.0
    fairness: bool = True
    max_reads: int = 400
    max_writes: int = 200
    request_timeout: float = 60.0
    profiling: bool = True
    max_backlog: int = 16 * 1024 * 1024
