"""What the flags of `hyperkube kube-apiserver` come to, when they go together. Worded as upstream words it."""

from __future__ import annotations

import ipaddress
import pathlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from pybernetes.apiserver.admission import table as admission
from pybernetes.apiserver.authz import modes
from pybernetes.apiserver.resources import table as resources
from pybernetes.apiserver.settings import API_AUDIENCE
from pybernetes.cluster.hyperkube import flags
from pybernetes.cluster.hyperkube.kube_apiserver.flags import MEDIA_TYPE, STORES

# Flags that name a file: it must be there. Those in a line go together or not at all.
PAIRS = (
    ("tls-cert-file", "tls-private-key-file"),
    ("etcd-certfile", "etcd-keyfile"),
    ("kubelet-client-certificate", "kubelet-client-key"),
)
FILES = (
    "etcd-cafile",
    "client-ca-file",
    "token-auth-file",
    "service-account-signing-key-file",
    "kubelet-certificate-authority",
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
class Options:
    """Ready to be acted on. None stands for what is to be made (`serving`, `signing_key`) or is not there."""

    store: str
    etcd: Etcd | None
    data: pathlib.Path
    certificates: pathlib.Path
    bind: str
    port: int
    advertise: str
    serving: Pair | None
    client_ca: pathlib.Path | None
    anonymous: bool
    tokens: pathlib.Path | None
    signing_key: pathlib.Path | None
    verifying_keys: tuple[pathlib.Path, ...]
    issuers: tuple[str, ...]
    audiences: tuple[str, ...]
    authorization: tuple[str, ...]
    admission_on: frozenset[str]
    admission_off: frozenset[str]
    allow_privileged: bool
    kubelet_client: Pair | None
    kubelet_ca: pathlib.Path | None
    runtime_config: Mapping[str, bool]
    service_cidr: str
    node_ports: tuple[int, int]
    event_ttl: float
    compaction_interval: float
    verbosity: int


def read(given: Mapping[str, Any], *, address: Callable[[], str]) -> Options:
    """`given` is the value of every flag; `address` finds this machine's. Raises FlagError with all that is wrong."""
    problems = [*_problems(given)]
    if problems:
        raise flags.FlagError("\n".join(problems))
    issuers = tuple(given["service-account-issuer"]) or (API_AUDIENCE,)
    authorization = tuple(given["authorization-mode"] or ("AlwaysAllow",))
    servers = tuple(given["etcd-servers"])
    data = pathlib.Path(given["data-dir"]).absolute()
    bind = given["bind-address"]
    advertise = given["advertise-address"] or (address() if ipaddress.ip_address(bind).is_unspecified else bind)
    cidr = given["service-cluster-ip-range"]
    if ipaddress.ip_network(cidr).version != ipaddress.ip_address(advertise).version:
        raise flags.FlagError(f'service IP family "{cidr}" must match public address family "{advertise}"')
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
        advertise=advertise,
        serving=_pair(given, "tls-cert-file", "tls-private-key-file"),
        client_ca=_path(given["client-ca-file"]),
        anonymous=given["anonymous-auth"] and "AlwaysAllow" not in authorization,
        tokens=_path(given["token-auth-file"]),
        signing_key=_path(given["service-account-signing-key-file"]),
        verifying_keys=tuple(pathlib.Path(name).absolute() for name in given["service-account-key-file"]),
        issuers=issuers,
        audiences=tuple(given["api-audiences"]) or issuers[:1],
        authorization=authorization,
        admission_on=frozenset(given["enable-admission-plugins"]),
        admission_off=frozenset(given["disable-admission-plugins"]),
        allow_privileged=given["allow-privileged"],
        kubelet_client=_pair(given, "kubelet-client-certificate", "kubelet-client-key"),
        kubelet_ca=_path(given["kubelet-certificate-authority"]),
        runtime_config=resources.parse_runtime_config(",".join(given["runtime-config"])),
        service_cidr=cidr,
        node_ports=given["service-node-port-range"],
        event_ttl=given["event-ttl"],
        compaction_interval=given["etcd-compaction-interval"],
        verbosity=given["v"],
    )


def _problems(given: Mapping[str, Any]) -> Iterator[str]:
    yield from _storage(given)
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
    yield from _modes(given["authorization-mode"])
    yield from _plugins(given["enable-admission-plugins"], given["disable-admission-plugins"])
    try:
        resources.kinds(resources.parse_runtime_config(",".join(given["runtime-config"])))
    except ValueError as error:
        yield f"--runtime-config: {error}"
    for name in ("event-ttl", "etcd-compaction-interval"):
        if given[name] < 0:
            yield f"--{name} can not be negative value"


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


def _modes(wanted: list[str] | None) -> Iterator[str]:
    if wanted is None:
        return
    if not wanted:
        yield "at least one authorization-mode must be passed"
    for mode in wanted:
        if mode not in modes.MODES:
            yield f'authorization-mode "{mode}" is not a valid mode; there are: {", ".join(modes.MODES)}'
    if len(set(wanted)) != len(wanted):
        yield f'authorization-mode "{",".join(wanted)}" has mode specified more than once'


def _plugins(on: list[str], off: list[str]) -> Iterator[str]:
    for flag, names in (("enable-admission-plugins", on), ("disable-admission-plugins", off)):
        for name in names:
            if name not in admission.NAMES:
                yield f'{flag} plugin "{name}" is unknown; there are: {", ".join(admission.NAMES)}'
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


def _path(text: str) -> pathlib.Path | None:
    return pathlib.Path(text).absolute() if text else None


def _pair(given: Mapping[str, Any], certificate: str, key: str) -> Pair | None:
    if not given[certificate]:
        return None
    return Pair(pathlib.Path(given[certificate]).absolute(), pathlib.Path(given[key]).absolute())
