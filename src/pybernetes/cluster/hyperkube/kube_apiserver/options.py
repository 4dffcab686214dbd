"""What the flags of `hyperkube kube-apiserver` come to, when they go together. Worded as upstream words it."""

from __future__ import annotations

import ipaddress
import pathlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from pybernetes.apiserver.admission import table as admission
from pybernetes.apiserver.authn import settings as authentication
from pybernetes.apiserver.authz import modes
from pybernetes.apiserver.resources import table as resources
from pybernetes.apiserver.settings import API_AUDIENCE
from pybernetes.cluster.hyperkube import features, flags, logging_flags
from pybernetes.cluster.hyperkube.kube_apiserver import authenticating, authorizing
from pybernetes.cluster.hyperkube.kube_apiserver.flags import audit as audit_flags
from pybernetes.cluster.hyperkube.kube_apiserver.flags.general import STORES
from pybernetes.cluster.hyperkube.kube_apiserver.flags.storage import MEDIA_TYPE

# Flags that name a file: it must be there. Those in a line go together or not at all.
PAIRS = (
    ("tls-cert-file", "tls-private-key-file"),
    ("etcd-certfile", "etcd-keyfile"),
    ("kubelet-client-certificate", "kubelet-client-key"),
    ("proxy-client-cert-file", "proxy-client-key-file"),
)
FILES = (
    "etcd-cafile",
    "client-ca-file",
    "requestheader-client-ca-file",
    "oidc-ca-file",
    "authentication-token-webhook-config-file",
    "authorization-webhook-config-file",
    "token-auth-file",
    "service-account-signing-key-file",
    "kubelet-certificate-authority",
    "admission-control-config-file",
    "encryption-provider-config",
    "audit-policy-file",
    "audit-webhook-config-file",
)
# Plugins that the guides of old name, and what does their work now.
GONE = {"SecurityContextDeny": "Kubernetes 1.30 took it away, and PodSecurity, which is on, does its work"}
NOT_NEGATIVE = (
    "event-ttl",
    "etcd-compaction-interval",
    "max-requests-inflight",
    "max-mutating-requests-inflight",
)


class Pair(NamedTuple):
    """Files of a certificate and its key."""

    certificate: pathlib.Path
    key: pathlib.Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Etcd:
    servers: tuple[str, ...]
    ca: pathlib.Path | None
    client: Pair | None
    prefix: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Batching:
    """How audit events get to a backend. `wait` is in seconds, 0 for at once; `largest` and `together` are in
    bytes, of an event and of a batch, 0 for any size; `strict` refuses requests that cannot be noted."""

    buffer: int
    size: int
    wait: float
    largest: int
    together: int
    strict: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """`log` is "-" for standard output, empty for none."""

    policy: pathlib.Path
    log: str
    days: int
    backups: int
    megabytes: int
    compress: bool
    logging: Batching
    webhook: pathlib.Path | None
    sending: Batching
    pause: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Ready to be acted on. None stands for what is to be made (`serving`, `signing_key`) or is not there."""

    store: str
    etcd: Etcd | None
    data: pathlib.Path
    certificates: pathlib.Path
    bind: str
    port: int
    insecure: tuple[str, int] | None
    advertise: str
    serving: Pair | None
    client_ca: pathlib.Path | None
    proxy_ca: pathlib.Path | None
    anonymous: bool
    authentication: authentication.Authentication
    tokens: pathlib.Path | None
    signing_key: pathlib.Path | None
    verifying_keys: tuple[pathlib.Path, ...]
    issuers: tuple[str, ...]
    audiences: tuple[str, ...]
    authorization: tuple[modes.Mode, ...]
    admission_on: frozenset[str]
    admission_off: frozenset[str]
    admission_configuration: pathlib.Path | None
    allow_privileged: bool
    kubelet_client: Pair | None
    kubelet_ca: pathlib.Path | None
    proxy_client: Pair | None
    runtime_config: Mapping[str, bool]
    service_cidr: str
    node_ports: tuple[int, int]
    event_ttl: float
    compaction_interval: float
    encryption: pathlib.Path | None
    audit: Audit | None
    fairness: bool
    max_reads: int
    max_writes: int
    request_timeout: float
    profiling: bool


def read(given: Mapping[str, Any], *, address: Callable[[], str]) -> Options:
    """`given` is the value of every flag; `address` finds this machine's. Raises FlagError with all that is wrong."""
    problems = [*_problems(given)]
    if problems:
        raise flags.FlagError("\n".join(problems))
    issuers = tuple(given["service-account-issuer"]) or (API_AUDIENCE,)
    authorization = authorizing.read(given)
    servers = tuple(given["etcd-servers"])
    data = pathlib.Path(given["data-dir"]).absolute()
    bind = given["bind-address"]
    advertise = given["advertise-address"] or (address() if ipaddress.ip_address(bind).is_unspecified else bind)
    cidr = given["service-cluster-ip-range"]
    primary = cidr.partition(",")[0]
    if ipaddress.ip_network(primary).version != ipaddress.ip_address(advertise).version:
        raise flags.FlagError(f'service IP family "{primary}" must match public address family "{advertise}"')
    return Options(
        store=given["store"] or ("etcd" if servers else "sqlite"),
        etcd=Etcd(
            servers=servers,
            ca=_path(given["etcd-cafile"]),
            client=_pair(given, "etcd-certfile", "etcd-keyfile"),
            prefix=given["etcd-prefix"],
        )
        if servers
        else None,
        data=data,
        certificates=_path(given["cert-dir"]) or data / "pki",
        bind=bind,
        port=given["secure-port"],
        insecure=(given["insecure-bind-address"], given["insecure-port"]) if given["insecure-port"] else None,
        advertise=advertise,
        serving=_pair(given, "tls-cert-file", "tls-private-key-file"),
        client_ca=_path(given["client-ca-file"]),
        proxy_ca=_path(given["requestheader-client-ca-file"]),
        anonymous=authenticating.is_anonymous_allowed(given) and "AlwaysAllow" not in authorization,
        authentication=authenticating.read(given),
        tokens=_path(given["token-auth-file"]),
        signing_key=_path(given["service-account-signing-key-file"]),
        verifying_keys=tuple(pathlib.Path(name).absolute() for name in given["service-account-key-file"]),
        issuers=issuers,
        audiences=tuple(given["api-audiences"]) or issuers[:1],
        authorization=authorization,
        admission_on=frozenset(given["enable-admission-plugins"] or given["admission-control"]),
        admission_off=frozenset(given["disable-admission-plugins"] or _others(given["admission-control"])),
        admission_configuration=_path(given["admission-control-config-file"]),
        allow_privileged=given["allow-privileged"],
        kubelet_client=_pair(given, "kubelet-client-certificate", "kubelet-client-key"),
        kubelet_ca=_path(given["kubelet-certificate-authority"]),
        proxy_client=_pair(given, "proxy-client-cert-file", "proxy-client-key-file"),
        runtime_config=resources.parse_runtime_config(",".join(given["runtime-config"])),
        service_cidr=cidr,
        node_ports=given["service-node-port-range"],
        event_ttl=given["event-ttl"],
        compaction_interval=given["etcd-compaction-interval"],
        encryption=_path(given["encryption-provider-config"]),
        audit=_audit(given),
        fairness=given["enable-priority-and-fairness"],
        max_reads=given["max-requests-inflight"],
        max_writes=given["max-mutating-requests-inflight"],
        request_timeout=given["request-timeout"],
        profiling=given["profiling"],
    )


def _problems(given: Mapping[str, Any]) -> Iterator[str]:
    yield from _storage(given)
    yield from logging_flags.problems(given)
    yield from features.problems(given["feature-gates"])
    if not 1 <= given["secure-port"] <= 65535:
        port = given["secure-port"]
        yield f"--secure-port {port} must be between 1 and 65535, inclusive. It cannot be turned off with 0"
    for name, other in PAIRS:
        if bool(given[name]) != bool(given[other]):
            yield f"--{name} and --{other} must be specified together"
    for name in (*FILES, *(name for pair in PAIRS for name in pair)):
        yield from _unreadable(name, given[name])
    for file in given["service-account-key-file"]:
        yield from _unreadable("service-account-key-file", file)
    yield from _issuers(given["service-account-issuer"])
    yield from authenticating.problems(given)
    yield from authorizing.problems(given)
    yield from _plugins(
        given["enable-admission-plugins"], given["disable-admission-plugins"], given["admission-control"]
    )
    try:
        resources.kinds(resources.parse_runtime_config(",".join(given["runtime-config"])))
    except ValueError as error:
        yield f"--runtime-config: {error}"
    yield from _auditing(given)
    for name in NOT_NEGATIVE:
        if given[name] < 0:
            yield f"--{name} can not be negative value"
    if given["request-timeout"] <= 0:
        yield "--request-timeout must be positive"
    reads, writes = given["max-requests-inflight"], given["max-mutating-requests-inflight"]
    if given["enable-priority-and-fairness"] and not reads + writes:
        yield "with priority and fairness --max-requests-inflight and --max-mutating-requests-inflight are not both 0"
    insecure = given["insecure-port"]
    if not 0 <= insecure <= 65535:
        yield f"--insecure-port {insecure} must be between 0 and 65535, inclusive"


def _storage(given: Mapping[str, Any]) -> Iterator[str]:
    store, servers = given["store"], given["etcd-servers"]
    if store not in ("", *STORES):
        yield f'--store "{store}" invalid, allowed values: {", ".join(STORES)}'
    elif store == "etcd" and not servers:
        yield "--etcd-servers must be specified"
    elif store not in ("", "etcd") and servers:
        yield f"--store={store} and --etcd-servers contradict each other"
    if not servers:
        for name in ("etcd-cafile", "etcd-certfile", "etcd-keyfile"):
            if given[name]:
                yield f"--{name} needs --etcd-servers"
    media_type = given["storage-media-type"]
    if media_type != MEDIA_TYPE:
        yield f'--storage-media-type "{media_type}" invalid, allowed values: {MEDIA_TYPE}'
    if not given["etcd-prefix"].startswith("/"):
        yield f'--etcd-prefix "{given["etcd-prefix"]}" must begin with /'


def _issuers(issuers: list[str]) -> Iterator[str]:
    for index, issuer in enumerate(issuers):
        if not issuer:
            yield "service-account-issuer should not be an empty string"
        elif issuer in issuers[:index]:
            yield f'service-account-issuer "{issuer}" is already specified'


def _auditing(given: Mapping[str, Any]) -> Iterator[str]:
    policy = given["audit-policy-file"]
    if policy and not given["audit-log-path"] and not given["audit-webhook-config-file"]:
        yield "--audit-policy-file needs --audit-log-path or --audit-webhook-config-file"
    for of in ("log", "webhook"):
        mode = given[f"audit-{of}-mode"]
        if mode not in audit_flags.MODES:
            known = ",".join(audit_flags.MODES)
            yield f'invalid audit {of} mode {mode}, allowed modes are "{known}"'
        buffer, size = given[f"audit-{of}-batch-buffer-size"], given[f"audit-{of}-batch-max-size"]
        if mode == "batch" and buffer <= 0:
            yield f"invalid audit batch {of} buffer size {buffer}, must be a positive number"
        if mode == "batch" and size <= 0:
            yield f"invalid audit batch {of} max batch size {size}, must be a positive number"
        event, together = given[f"audit-{of}-truncate-max-event-size"], given[f"audit-{of}-truncate-max-batch-size"]
        if event <= 0:
            yield f"invalid audit truncate {of} max event size {event}, must be a positive number"
        elif together < event:
            words = f"must be greater than max event size ({event})"
            yield f"invalid audit truncate {of} max batch size {together}, {words}"
    for name in ("audit-log-maxage", "audit-log-maxbackup", "audit-log-maxsize"):
        if given[name] < 0:
            yield f"--{name} {given[name]} can't be a negative number"


def _plugins(on: list[str], off: list[str], exactly: list[str]) -> Iterator[str]:
    listed = (("enable-admission-plugins", on), ("disable-admission-plugins", off), ("admission-control", exactly))
    for flag, names in listed:
        for name in names:
            if name in GONE:
                yield f'{flag} plugin "{name}" is no more: {GONE[name]}'
            elif name not in admission.NAMES:
                yield f'{flag} plugin "{name}" is unknown; there are: {", ".join(admission.NAMES)}'
    if exactly and (on or off):
        yield ("admission-control and enable-admission-plugins/disable-admission-plugins flags are mutually exclusive")
    both = sorted(set(on) & set(off))
    if both:
        yield f"[{' '.join(both)}] in enable-admission-plugins and disable-admission-plugins overlapped"


def _unreadable(name: str, file: str) -> Iterator[str]:
    if not file:
        return
    try:
        with open(file, "rb"):
            return
    except OSError as error:
        yield f"--{name}: {file}: {error.strerror}"


def _others(exactly: list[str]) -> list[str]:
    """The plugins that are not asked where it is said which are."""
    return [name for name in admission.NAMES if name not in exactly] if exactly else []


def _audit(given: Mapping[str, Any]) -> Audit | None:
    policy = _path(given["audit-policy-file"])
    if policy is None:
        return None
    log = given["audit-log-path"]
    return Audit(
        policy=policy,
        log=log if log in ("", "-") else str(pathlib.Path(log).absolute()),
        days=given["audit-log-maxage"],
        backups=given["audit-log-maxbackup"],
        megabytes=given["audit-log-maxsize"],
        compress=given["audit-log-compress"],
        logging=_batching(given, "log"),
        webhook=_path(given["audit-webhook-config-file"]),
        sending=_batching(given, "webhook"),
        pause=given["audit-webhook-initial-backoff"],
    )


def _batching(given: Mapping[str, Any], of: str) -> Batching:
    truncates = given[f"audit-{of}-truncate-enabled"]
    return Batching(
        buffer=given[f"audit-{of}-batch-buffer-size"],
        size=given[f"audit-{of}-batch-max-size"],
        wait=given[f"audit-{of}-batch-max-wait"] if given[f"audit-{of}-mode"] == "batch" else 0.0,
        largest=given[f"audit-{of}-truncate-max-event-size"] if truncates else 0,
        together=given[f"audit-{of}-truncate-max-batch-size"] if truncates else 0,
        strict=given[f"audit-{of}-mode"] == "blocking-strict",
    )


def _path(text: str) -> pathlib.Path | None:
    return pathlib.Path(text).absolute() if text else None


def _pair(given: Mapping[str, Any], certificate: str, key: str) -> Pair | None:
    if not given[certificate]:
        return None
    return Pair(pathlib.Path(given[certificate]).absolute(), pathlib.Path(given[key]).absolute())
