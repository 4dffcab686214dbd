"""The running API server of `hyperkube kube-apiserver`: files and sockets in, an `ApiServer` out."""

from __future__ import annotations

import functools
import ipaddress
import logging
import pathlib
import socket
import ssl
from collections.abc import Callable

from pybernetes import store as stores
from pybernetes.apiserver import request as requests
from pybernetes.apiserver import server as apiservers
from pybernetes.apiserver import settings
from pybernetes.apiserver.admission import configuration
from pybernetes.apiserver.authn import signing, tokenfile
from pybernetes.apiserver.storage import encryption
from pybernetes.cluster import credentials, pki, processes
from pybernetes.cluster.hyperkube import sockets
from pybernetes.cluster.hyperkube.kube_apiserver import auditing, neighbours
from pybernetes.cluster.hyperkube.kube_apiserver import options as options_
from pybernetes.kits import chance as chances
from pybernetes.kits import clock as clocks

log = logging.getLogger(__name__)


class Process:
    """`await start()`, `await close()`; in between it serves."""

    def __init__(self, options: options_.Options, *, clock: clocks.Clock, chance: chances.Chance) -> None:
        self._options = options
        self._clock = clock
        self._chance = chance
        self._store: stores.Store | None = None
        self._api: apiservers.ApiServer | None = None

    async def start(self) -> None:
        """Raises CannotStart where it is the flags, the files or the store that are to blame."""
        try:
            await self._start()
        except (OSError, ssl.SSLError, ValueError, stores.StoreError) as error:
            raise processes.CannotStart(str(error)) from error

    async def _start(self) -> None:
        options = self._options
        # Made only if something is to be made in it.
        authority = functools.cache(lambda: pki.Pki(options.certificates, self._clock))
        tls = _serving(options, authority, changed=self._trust)
        told = _settings(options, _signing_key(options, authority))
        # Bound first: a port that is taken is the likeliest thing to go wrong, and the cheapest to find.
        sock = sockets.bound(options.bind, options.port)
        unsecured = sockets.bound(*options.insecure) if options.insecure is not None else None
        try:
            auditor = auditing.auditor(options.audit, self._clock, self._chance) if options.audit is not None else None
            self._store = await _open_store(options, self._clock, self._chance)
            self._api = apiservers.ApiServer(told, self._store, clock=self._clock, chance=self._chance, auditor=auditor)
            self._api.components.update(neighbours.checks())
            await self._api.start()
            await self._api.listen(sock, tls)
            if unsecured is not None:
                await self._api.listen_unsecured(unsecured)
        except BaseException:
            sock.close()
            if unsecured is not None:
                unsecured.close()
            raise
        log.info("serving on https://%s, store %s", sockets.named(options.bind, options.port), options.store)

    def _trust(self) -> None:
        """The authorities may be others now."""
        options = self._options
        if self._api is not None:
            client_ca, proxy_ca = (
                path.read_bytes() if path is not None else b"" for path in (options.client_ca, options.proxy_ca)
            )
            self._api.trust(client_ca, proxy_ca)

    async def close(self) -> None:
        if self._api is not None:
            await self._api.close()
        if self._store is not None:
            await self._store.close()


def _serving(
    options: options_.Options, authority: Callable[[], pki.Pki], *, changed: Callable[[], None]
) -> ssl.SSLContext:
    """TLS by the files as they are from time to time."""
    if options.serving is not None:
        certificate, key = options.serving
    else:
        first = str(ipaddress.ip_network(options.service_cidr.partition(",")[0])[1])
        hosts = {*credentials.SERVICE_NAMES, "127.0.0.1", first, options.advertise, socket.gethostname()}
        if not ipaddress.ip_address(options.bind).is_unspecified:
            hosts.add(options.bind)
        certificate, key = authority().server("apiserver", hosts)
        log.info("the certificate is %s; clients check it with %s", certificate, authority().ca)
    authorities = tuple(str(path) for path in (options.client_ca, options.proxy_ca) if path is not None)
    return sockets.tls(str(certificate), str(key), authorities, changed=changed)


def _signing_key(options: options_.Options, authority: Callable[[], pki.Pki]) -> signing.PrivateKey:
    if options.signing_key is None:
        return authority().service_account_key()
    try:
        return signing.read_private(options.signing_key.read_bytes())
    except signing.KeyFileError as error:
        raise signing.KeyFileError(f"--service-account-signing-key-file: {options.signing_key}: {error}") from None


def _verifying_keys(files: tuple[pathlib.Path, ...]) -> tuple[signing.PublicKey, ...]:
    keys: list[signing.PublicKey] = []
    for file in files:
        try:
            keys += signing.read_public(file.read_bytes())
        except signing.KeyFileError as error:
            raise signing.KeyFileError(f"--service-account-key-file: {file}: {error}") from None
    return tuple(keys)


def _settings(options: options_.Options, signing_key: signing.PrivateKey) -> settings.Settings:
    tokens: dict[str, requests.User] = tokenfile.read(options.tokens) if options.tokens is not None else {}
    return settings.Settings(
        service_account_key=signing_key,
        service_account_public_keys=_verifying_keys(options.verifying_keys),
        advertise=(options.advertise, options.port),
        hostname=socket.gethostname(),
        service_cidr=options.service_cidr,
        node_ports=options.node_ports,
        issuers=options.issuers,
        audiences=options.audiences,
        tokens=tokens,
        anonymous=options.anonymous,
        authentication=options.authentication,
        authorization=options.authorization,
        admission_on=options.admission_on,
        admission_off=options.admission_off,
        allow_privileged=options.allow_privileged,
        runtime_config=options.runtime_config,
        kubelet_tls=_kubelet_tls(options),
        proxy_client=(str(options.proxy_client.certificate), str(options.proxy_client.key))
        if options.proxy_client is not None
        else None,
        event_ttl=options.event_ttl,
        compaction_interval=options.compaction_interval,
        admission_configuration=configuration.load(options.admission_configuration)
        if options.admission_configuration is not None
        else {},
        encryption=encryption.configuration.read(options.encryption) if options.encryption is not None else None,
        fairness=options.fairness,
        max_reads=options.max_reads,
        max_writes=options.max_writes,
        request_timeout=options.request_timeout,
        profiling=options.profiling,
    )


def _kubelet_tls(options: options_.Options) -> ssl.SSLContext:
    """Without an authority, kubelets are believed, as upstream does: their certificates are often their own."""
    if options.kubelet_ca is not None:
        context = ssl.create_default_context(cafile=str(options.kubelet_ca))
    else:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if options.kubelet_client is not None:
        context.load_cert_chain(*options.kubelet_client)
    return context


async def _open_store(options: options_.Options, clock: clocks.Clock, chance: chances.Chance) -> stores.Store:
    if options.etcd is not None:
        from pybernetes.store import etcd

        certificate, key = options.etcd.client or ("", "")
        where = etcd.Options(
            servers=options.etcd.servers,
            cafile=str(options.etcd.ca or ""),
            certfile=str(certificate),
            keyfile=str(key),
            prefix=options.etcd.prefix,
        )
        return await etcd.open(where, clock=clock, chance=chance)
    if options.store == "memory":
        from pybernetes.store.memory import MemoryStore

        return MemoryStore()
    from pybernetes.store.sqlite import SqliteStore

    return await SqliteStore.open(options.data / "store.db")
