"""The API server put together: store, registry, chain, listener; and the in-process clients of its neighbours."""

from __future__ import annotations

import dataclasses
import functools
import logging
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Any

import msgspec

from pybernetes import client as clients
from pybernetes import informers
from pybernetes import store as stores
from pybernetes.api import errors
from pybernetes.api import version as api_version
from pybernetes.apiserver import (
    audit,
    bootstrap,
    chain,
    debugging,
    flowcontrol,
    health,
    identity,
    loopback,
    metrics,
    registry,
    results,
    version,
)
from pybernetes.apiserver import request as requests
from pybernetes.apiserver import settings as settings_
from pybernetes.apiserver.admission import hosts, plugin
from pybernetes.apiserver.admission import table as admission_table
from pybernetes.apiserver.authn import (
    authenticator,
    bootstrap_tokens,
    frontproxy,
    legacy_tokens,
    lookups,
    remote,
    serviceaccounts,
    trust,
    x509,
)
from pybernetes.apiserver.authn import discovery as token_discovery
from pybernetes.apiserver.authn import webhook as token_webhook
from pybernetes.apiserver.authn.oidc import provider
from pybernetes.apiserver.authz import escalation, modes, rbac
from pybernetes.apiserver.endpoints import (
    allocation,
    components,
    connect,
    eviction,
    kubelets,
    proxy,
    reviews,
    router,
    token,
)
from pybernetes.apiserver.endpoints import scope as scopes
from pybernetes.apiserver.extensions import aggregation, discovery, openapi
from pybernetes.apiserver.extensions.custom import definitions, serving
from pybernetes.apiserver.forwarding import backend, services, webhooks
from pybernetes.apiserver.http import listener, responder
from pybernetes.apiserver.identity import versions as storage_versions
from pybernetes.apiserver.resources import kind as kinds_
from pybernetes.apiserver.resources import table as resource_table
from pybernetes.apiserver.storage import claims, encryption, timed
from pybernetes.apiserver.storage import upkeep as upkeeps
from pybernetes.kits import chance as chances
from pybernetes.kits import clock as clocks
from pybernetes.kits import prometheus, tasks

log = logging.getLogger(__name__)

# Between tries to make what every cluster has, where admission refuses it.
BOOTSTRAP_SECONDS = 5.0
SERVICE_CIDRS = ("networking.k8s.io", "v1", "servicecidrs")
APISERVER = requests.User("system:apiserver", groups=("system:masters", "system:authenticated"))

# Whoever comes to the port that asks nobody who he is.
UNSECURED = requests.User("system:unsecured", groups=("system:masters", "system:authenticated"))


class ApiServer:
    """`await start()`, then `listen` on any number of sockets; `client` gives in-process clients.

    `around` wraps the whole chain, for tests that count requests or have them fail.
    """

    def __init__(
        self,
        settings: settings_.Settings,
        store: stores.Store,
        *,
        clock: clocks.Clock,
        chance: chances.Chance,
        kinds: Iterable[kinds_.Kind[Any]] | None = None,
        auditor: audit.Auditor | None = None,
        around: Callable[[results.Handler], results.Handler] = lambda handler: handler,
    ) -> None:
        self.settings = settings
        self._auditor = auditor
        store = self._times = timed.TimedStore(store, clock.monotonic)
        if settings.encryption is not None:
            store = encryption.SealedStore(store, settings.encryption, chance)
        self._store = store
        self._clock = clock
        self._chance = chance
        self._started = False
        self._bootstrapped = False
        served = kinds if kinds is not None else resource_table.kinds(settings.runtime_config)
        self.registry = registry.Registry(served, store, stored=resource_table.kinds() if kinds is None else ())
        self.components: dict[str, components.Check] = {"etcd-0": self._store_condition}
        self.signer = serviceaccounts.Signer(
            settings.service_account_key,
            issuers=settings.issuers,
            audiences=settings.audiences,
            more_keys=settings.service_account_public_keys,
            clock=clock,
            chance=chance,
        )
        collection = self.registry.collection
        self._legacy_tokens = legacy_tokens.LegacyTokens(
            collection("", "secrets"), lambda: self.client(APISERVER, agent="kube-apiserver"), clock=clock
        )
        who = settings.authentication
        self._others = self._make_others()
        self._authenticator = authenticator.Authenticator(
            tokens=settings.tokens,
            signer=self.signer,
            lookup=lookups.Lookups(functools.partial(collection, ""), clock=clock).uid,
            used=self._legacy_tokens.used,
            anonymous=settings.anonymous,
            anonymous_paths=who.anonymous_paths,
            proxy=frontproxy.FrontProxy(who.proxy) if who.proxy is not None else None,
            bootstrap=bootstrap_tokens.BootstrapTokens(collection("", "secrets"), clock=clock)
            if who.bootstrap_tokens
            else None,
            others=self._others,
        )
        self._keys = token_discovery.Discovery(
            self.signer, address=f"{settings.advertise[0]}:{settings.advertise[1]}", keys_at=who.keys_at
        )
        roles = rbac.Rbac(
            roles=collection(rbac.GROUP, "roles"),
            role_bindings=collection(rbac.GROUP, "rolebindings"),
            cluster_roles=collection(rbac.GROUP, "clusterroles"),
            cluster_role_bindings=collection(rbac.GROUP, "clusterrolebindings"),
        )
        self._modes = modes.Modes(settings.authorization, roles, clock=clock, chance=chance)
        self._authorizer = self._modes.union
        self._guards = escalation.Escalation(self._authorizer, roles).guards()
        self._allocation = allocation.Allocation(
            services=collection("", "services"),
            addresses=collection("networking.k8s.io", "ipaddresses"),
            service_cidrs=collection("networking.k8s.io", "servicecidrs"),
            configured=settings.service_cidr,
            ports=settings.node_ports,
            claims=claims.Claims(store, "servicenodeports", clock=clock) if store.shared else None,
            tell=self._warn,
            clock=clock,
            chance=chance,
        )
        self._default_cidr = allocation.DefaultServiceCIDR(
            collection("networking.k8s.io", "servicecidrs"),
            settings.service_cidr.split(","),
            tell=self._warn,
            clock=clock,
            chance=chance,
        )
        self._fairness = self._make_fairness() if settings.fairness else None
        self._dangling = flowcontrol.Dangling(
            collection(flows := "flowcontrol.apiserver.k8s.io", "flowschemas"),
            collection(flows, "prioritylevelconfigurations"),
            clock,
        )
        self._dumps = flowcontrol.Dumps(self._fairness) if self._fairness is not None else None
        self._debugging = debugging.Debugging(clock) if settings.profiling else None
        live: dict[str, health.Check] = {"ping": lambda: None, "etcd": self._store_problem}
        ready: dict[str, health.Check] = {"poststarthook/rbac/bootstrap-roles": self._bootstrap_problem}
        self._health = health.Health({"/healthz": live, "/livez": live, "/readyz": {**live, **ready}})
        behind = services.Services(
            collection("", "services"), slices := collection("discovery.k8s.io", "endpointslices"), chance
        )
        self.webhooks = webhooks.Webhooks(
            services=behind,
            clock=clock,
        )
        self._definitions = definitions.Definitions(
            self.registry, store, webhooks=self.webhooks, clock=clock, chance=chance
        )
        # What else is in /metrics, by the component that shares the process.
        self.more_metrics: dict[str, Callable[[], Iterable[prometheus.Family]]] = {}
        self._metrics = metrics.Metrics(
            self._families, self.registry.resources(), custom=self.registry.find, clock=clock
        )
        self._backend = backend.Backend(settings.kubelet_tls, clock)
        self._aggregation = aggregation.Aggregation(
            collection("apiregistration.k8s.io", "apiservices"),
            services=collection("", "services"),
            slices=slices,
            found=behind,
            backend=self._backend,
            client_certificate=settings.proxy_client,
            clock=clock,
        )
        self._discovery = discovery.Discovery(
            self.registry, self._aggregation, address=f"{settings.advertise[0]}:{settings.advertise[1]}"
        )
        self._openapi = openapi.OpenApi(self.registry, self._aggregation, clock)
        self._route = self._router()
        self.handler = around(
            chain.build(
                metrics=self._metrics,
                authenticator=self._authenticator,
                authorizer=self._authorizer,
                limits=self._fairness or flowcontrol.InFlight(reads=settings.max_reads, writes=settings.max_writes),
                endpoint=self._endpoint,
                auditor=auditor,
            )
        )
        self._upkeep = upkeeps.Upkeep(
            store,
            collection("", "events"),
            self.registry,
            clock=clock,
            event_ttl=settings.event_ttl,
            interval=settings.compaction_interval,
        )
        # By component.
        self._recorders: dict[str, informers.Recorder] = {}
        self._identity: identity.Identity | None = None
        self._tasks = tasks.Tasks()
        self._responder = responder.Responder(
            self.handler, clock, max_backlog=settings.max_backlog, timeout=settings.request_timeout
        )
        self._peers = x509.Peers(who.client_ca, who.proxy)
        self._listener = listener.Listener(self._responder, clock, peers=self._peers)
        self._unsecured: listener.Listener | None = None
        self._loopbacks: list[loopback.LoopbackTransport] = []

    def _make_others(self) -> remote.Remote | None:
        """Those who have to be asked about tokens, if there are any."""
        settings, clock, chance = self.settings, self._clock, self._chance
        who = settings.authentication
        self.providers = [
            provider.Provider(one, algorithms=who.algorithms, audiences=settings.audiences, clock=clock, chance=chance)
            for one in who.providers
        ]
        asked: list[remote.Source] = [*self.providers]
        if who.webhook is not None:
            asked.append(token_webhook.Webhook(who.webhook, settings.audiences, clock=clock, chance=chance))
        return remote.Remote(asked, clock=clock) if asked else None

    def _make_fairness(self) -> flowcontrol.Fairness:
        settings, collection = self.settings, self.registry.collection
        return flowcontrol.Fairness(
            collection(flow_group := "flowcontrol.apiserver.k8s.io", "flowschemas"),
            collection(flow_group, "prioritylevelconfigurations"),
            self.registry.find,
            total=settings.max_reads + settings.max_writes,
            patience=min(settings.request_timeout / 4, 60.0),
            clock=self._clock,
        )

    async def start(self) -> None:
        """Load the store and make sure of what every cluster has."""
        if self._auditor is not None:
            self._auditor.start()
        await self.registry.open()
        self._modes.start(self.registry.stored)
        await self._allocation.start()
        try:
            await self._bootstrap()
        except errors.StatusError as error:
            # A webhook, whose server may run in this cluster, or a policy is against it.
            self._tasks.spawn(self._bootstrap_again(error), name="bootstrap")
        if self._fairness is not None and ("flowcontrol.apiserver.k8s.io", "v1", "flowschemas") in self.registry.kinds:
            self._dangling.start(self.client(APISERVER, agent="api-priority-and-fairness-config-consumer-v1"))
        self._aggregation.start(self.client(APISERVER, agent="kube-aggregator"))
        self._authenticator.open()
        self._definitions.start(self.client(APISERVER, agent="kube-apiserver"))
        self._upkeep.start()
        if SERVICE_CIDRS in self.registry.kinds:
            client = self.client(APISERVER, agent=self._default_cidr.agent)
            self._tasks.spawn(self._default_cidr.run(client), name="default ServiceCIDR")
        self._tasks.spawn(self._allocation.repair.run(), name="repair of cluster IPs and node ports")
        if self.settings.hostname:
            await self._identify(self.settings.hostname)
        self._started = True

    async def _identify(self, hostname: str) -> None:
        client = self.client(APISERVER, agent="kube-apiserver")
        found = self._identity = identity.Identity(client, hostname, clock=self._clock, chance=self._chance)
        await found.claim()

        async def tell_versions() -> None:
            if storage_versions.RESOURCE in self.registry.kinds:
                told = storage_versions.records(self.registry.kinds.values(), found.name)
                await storage_versions.tell(client, told, self._clock)

        found.start(tell_versions)

    async def _bootstrap(self) -> None:
        client = self.client(APISERVER, agent="kube-apiserver")
        if SERVICE_CIDRS in self.registry.kinds:
            # Before the service `kubernetes`, whose address comes from it.
            await self._default_cidr.sync(client)
        await bootstrap.run(client, self.settings, self.registry.kinds, clock=self._clock)
        self._bootstrapped = True

    async def _bootstrap_again(self, error: errors.StatusError) -> None:
        """Until it is done, as who is against it may come to be for it."""
        while not self._bootstrapped:
            log.warning("bootstrap: %s", error)
            await self._clock.sleep(BOOTSTRAP_SECONDS)
            try:
                await self._bootstrap()
            except errors.StatusError as again:
                error = again

    async def listen(self, sock: socket.socket, tls: ssl.SSLContext | None) -> None:
        await self._listener.listen(sock, tls)

    async def listen_unsecured(self, sock: socket.socket) -> None:
        """Accept plain HTTP on a bound socket, from people who may do everything."""

        async def handle(request: requests.Request) -> results.Result:
            request.certificate_user = UNSECURED
            return await self.handler(request)

        answering = responder.Responder(
            handle, self._clock, max_backlog=self.settings.max_backlog, timeout=self.settings.request_timeout
        )
        self._unsecured = listener.Listener(answering, self._clock)
        await self._unsecured.listen(sock, None)

    async def close(self) -> None:
        """Stop serving; the store is the caller's to close."""
        if self._identity is not None:
            await self._identity.close()
        if self._fairness is not None:
            self._fairness.close()
        await self._tasks.close()
        for recorder in self._recorders.values():
            await recorder.close()
        await self._upkeep.close()
        await self._definitions.close()
        await self._aggregation.close()
        await self._dangling.close()
        await self._legacy_tokens.close()
        await self._authenticator.close()
        await self._modes.close()
        await self._listener.close()
        if self._unsecured is not None:
            await self._unsecured.close()
        await self._backend.close()
        await self.webhooks.close()
        await self._admission.close()
        for transport in self._loopbacks:
            await transport.close()
        if self._auditor is not None:
            await self._auditor.close()
        self.registry.close()

    def _warn(self, component: str, about: Any, reason: str, message: str) -> None:
        recorder = self._recorders.get(component)
        if recorder is None:
            client = self.client(APISERVER, agent="kube-apiserver")
            recorder = informers.Recorder(client, component, clock=self._clock, chance=self._chance)
            self._recorders[component] = recorder
        recorder.event(about, "Warning", reason, message)

    def trust(self, client_ca: bytes, proxy_ca: bytes) -> None:
        """From now on by these authorities (PEM), which the listener has; tell others of them, too."""
        who = self.settings.authentication
        proxy = dataclasses.replace(who.proxy, ca=proxy_ca) if who.proxy is not None else None
        self._peers.trust(client_ca, proxy)
        told = trust.write(self.client(APISERVER, agent="kube-apiserver"), trust.data(client_ca, proxy))
        self._tasks.spawn(told, name="authorities")

    def client(self, user: requests.User, *, agent: str) -> clients.Client:
        """An in-process client that acts as the user; `agent` is the field manager of its writes."""
        transport = loopback.LoopbackTransport(self.handler, user, agent=agent, clock=self._clock)
        self._loopbacks.append(transport)
        return clients.Client(transport, manager=agent)

    # -- routes

    def _endpoint(self, request: requests.Request) -> Awaitable[results.Result]:
        if self._aggregation.remotes:
            remote = self._aggregation.find(request)
            if remote is not None:
                return self._aggregation.pass_on(remote, request)
        return self._route(request) if request.attributes.resource else self._answer(request)

    async def _answer(self, request: requests.Request) -> results.Result:
        if request.path.startswith("/debug/") and self._debugging is not None:
            document = await self._debugging.answer(request)
            if document is not None:
                return document
        document = await self._document(request)
        if document is None:
            raise errors.path_not_found()
        if request.method not in ("GET", "HEAD"):
            raise errors.method_not_allowed()
        return document

    async def _document(self, request: requests.Request) -> results.Document | None:
        path = request.path
        if path.startswith("/api"):
            return self._discovery.answer(request)
        if path.startswith("/openapi"):
            return await self._openapi.answer(request)
        if path in ("/version", "/version/"):
            return results.Document(msgspec.json.encode(version.info()))
        if path == "/metrics":
            return self._metrics.document()
        if path in self._keys.paths():
            return self._keys.answer(path)
        if path.startswith("/debug/") and self._dumps is not None:
            return self._dumps.answer(path)
        if path == "/":
            return results.Document(msgspec.json.encode({"paths": self._paths()}))
        return self._health.answer(request)

    def _paths(self) -> list[str]:
        groups = {f"/apis/{group}" for group, _, _ in self.registry.kinds if group}
        versions = {f"/apis/{group}/{version}" for group, version, _ in self.registry.kinds if group}
        known = (
            "/api",
            "/api/v1",
            "/apis",
            "/apis/",
            "/metrics",
            "/openapi/v2",
            "/openapi/v3",
            "/openapi/v3/",
            "/version",
        )
        dumps = self._dumps.paths() if self._dumps is not None else ()
        return sorted({*known, *self._keys.paths(), *groups, *versions, *self._health.paths(), *dumps})

    def _router(self) -> router.Router:
        collection = self.registry.collection
        settings = self.settings
        host = hosts.Host(
            registry=self.registry,
            authorizer=self._authorizer,
            webhooks=self.webhooks,
            client=functools.partial(self.client, APISERVER, agent="kube-apiserver"),
            clock=self._clock,
            chance=self._chance,
            configuration=settings.admission_configuration,
        )
        self._admission = admission = plugin.Admission(
            admission_table.plugins(
                host,
                on=settings.admission_on,
                off=settings.admission_off,
                allow_privileged=settings.allow_privileged,
            ),
            self._clock.monotonic,
        )

        def scope(kind: kinds_.Kind[Any]) -> scopes.Scope:
            is_service = kind.resource.group_resource == "services"
            return scopes.Scope(
                kind=kind,
                collection=self.registry.of(kind),
                clock=self._clock,
                chance=self._chance,
                admission=admission,
                authorizer=self._authorizer,
                guard=self._guards.get(kind.resource.name) if kind.resource.group == rbac.GROUP else None,
                reserve=self._allocation.allocator.reserve if is_service else None,
                released=self._allocation.allocator.release if is_service else None,
            )

        served = {key: scope(kind) for key, kind in self.registry.kinds.items()}
        nodes = kubelets.Kubelets(collection("", "nodes"), self.settings.kubelet_tls, self._clock)
        return router.Router(
            served,
            connections=connect.Connect(nodes),
            proxies=proxy.Proxies(
                self._backend,
                nodes,
                endpoints=collection("", "endpoints"),
                pods=collection("", "pods"),
                scheme="http" if settings.kubelet_tls is None else "https",
            ),
            evictions=eviction.Evictions(collection("policy", "poddisruptionbudgets")),
            tokens=token.Tokens(
                self.signer,
                pods=collection("", "pods"),
                secrets=collection("", "secrets"),
                nodes=collection("", "nodes"),
                longest=settings.authentication.longest_token,
                extends=settings.authentication.extends_tokens,
            ),
            asked=reviews.Reviews(
                authenticator=self._authenticator,
                authorizer=self._authorizer,
            ),
            parts=components.Components(self.components),
            custom=serving.Serving(self.registry, make=scope, warning=self._definitions.warning),
            shared=self._store.shared,
        )

    # -- what others ask

    def _store_problem(self) -> str | None:
        return self._store.problem if self._started else "the store is not loaded yet"

    def _bootstrap_problem(self) -> str | None:
        return None if self._bootstrapped else "not finished"

    def _store_condition(self) -> components.Condition:
        problem = self._store_problem()
        return components.Condition(True, "ok") if problem is None else components.Condition(False, problem)

    def _families(self) -> Iterator[prometheus.Family]:
        """What is not counted with the requests."""
        objects: dict[tuple[str, str], int] = {}
        watching: dict[tuple[str, str], int] = {}
        told: dict[tuple[str, str], int] = {}
        for group, name, collection in self.registry:
            # The versions of a custom resource show the same objects, where they have been loaded, to watchers of
            # their own.
            at = (group, name)
            objects[at] = max(objects.get(at, 0), len(collection))
            watching[at] = watching.get(at, 0) + len(collection.watchers)
            told[at] = told.get(at, 0) + collection.watchers.told
        yield prometheus.Family(
            "apiserver_storage_objects",
            prometheus.GAUGE,
            "Number of stored objects at the time of last check split by kind.",
            [({"resource": f"{name}.{group}" if group else name}, count) for (group, name), count in objects.items()],
        )
        yield prometheus.Family(
            "apiserver_resource_objects",
            prometheus.GAUGE,
            "Number of stored objects at the time of last check split by kind.",
            [({"group": group, "resource": name}, count) for (group, name), count in objects.items()],
        )
        yield prometheus.Family(
            "apiserver_registered_watchers",
            prometheus.GAUGE,
            "Number of watchers now, split by what they watch.",
            [({"group": group, "kind": name}, count) for (group, name), count in watching.items()],
        )
        yield prometheus.Family(
            "apiserver_watch_events_total",
            prometheus.COUNTER,
            "Number of events sent in watch clients",
            [({"group": group, "resource": name}, count) for (group, name), count in told.items() if count],
        )
        yield prometheus.Family(
            "apiserver_current_connections",
            prometheus.GAUGE,
            "Number of connections that clients have open.",
            [({}, len(self._listener))],
        )
        yield api_version.build_info()
        yield from self._times.families()
        if self._fairness is not None:
            yield from self._fairness.families()
        if self._auditor is not None:
            yield from self._auditor.families()
        yield from self._admission.families()
        for families in self.more_metrics.values():
            yield from families()
