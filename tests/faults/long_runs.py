"""Hours in the life of a cluster that somebody changes all the time and in which requests fail, chosen by a seed.

A run says what went wrong as a list of sentences. It does not assert by itself, so that a script can run many seeds.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
from collections.abc import Iterator
from typing import Any

from pybernetes.api import codecs, errors, scheme
from pybernetes.api.types import apps_v1, batch_v1, core_v1, discovery_v1, meta_v1, policy_v1
from pybernetes.client import Client
from pybernetes.kits import chance as chances
from pybernetes.testing import Cluster

NAMESPACES = ("one", "two", "tight")
# Of the namespace `tight`.
PODS_ALLOWED = 8
NODES = 5
# Fewer than there can be Services that want one.
ADDRESSES = "10.200.0.1-10.200.0.4"
# kube-controller-manager, kube-scheduler and kubelet.
COMPONENTS = "kube[-l][cse]*"
NAMES = ("a", "b", "c")
KINDS: dict[str, Any] = {
    "deployments": apps_v1.Deployment,
    "statefulsets": apps_v1.StatefulSet,
    "daemonsets": apps_v1.DaemonSet,
    "jobs": batch_v1.Job,
}
# Until everything is as it should be, once nothing fails any more: longer than the longest back-off of a queue
# (1,000 s), the eviction from a lost node (300 s) and a container's restart (300 s) together.
QUIET = "45m"


@dataclasses.dataclass(slots=True)
class Outcome:
    """What a run came to. `log` has every write: when, by whom, which verb, of what, with which answer."""

    problems: list[str] = dataclasses.field(default_factory=list)
    steps: list[str] = dataclasses.field(default_factory=list)
    log: list[tuple[Any, ...]] = dataclasses.field(default_factory=list)


async def run(seed: int, *, steps: int = 25) -> Outcome:
    """One life, of a few virtual hours."""
    outcome = Outcome()
    async with Cluster(
        nodes=NODES, zones=["x", "y"], load_balancer_pool=[ADDRESSES], virtual=True, seed=seed
    ) as cluster:
        await Life(cluster, seed, outcome).lead(steps)
        outcome.log = [
            (call.time, call.agent, call.verb, call.resource, call.subresource, call.namespace, call.name, call.code)
            for call in cluster.calls
            if call.is_write
        ]
    return outcome


class Life:
    """One cluster's."""

    def __init__(self, cluster: Cluster, seed: int, outcome: Outcome) -> None:
        self._cluster, self._outcome = cluster, outcome
        self._dice = chances.Chance(seed)
        # What the run itself does never fails, so that it knows what it did.
        self._client: Client = cluster.client("driver")

    async def lead(self, steps: int) -> None:
        for name in NAMESPACES:
            await self._make_namespace(name)
        with self._faults():
            for _ in range(steps):
                await self._step()
                await self._cluster.advance(self._dice.choice(["1s", "10s", "1m", "5m", "15m"]))
                await self._check_always()
        await self._cluster.advance(QUIET)
        with self._unruffled("at rest"):
            await self._cluster.advance("5m")
        await self._check_always()
        await self._check_end()

    @contextlib.contextmanager
    def _faults(self) -> Iterator[None]:
        with contextlib.ExitStack() as stack:
            for code in (409, 429, 500, 503):
                stack.enter_context(self._cluster.fault(agent=COMPONENTS, code=code, probability=0.02))
            stack.enter_context(self._cluster.fault(agent=COMPONENTS, lost=True, probability=0.02))
            stack.enter_context(self._cluster.fault(agent=COMPONENTS, verb="watch", cut=90.0, probability=0.5))
            yield

    @contextlib.contextmanager
    def _unruffled(self, when: str) -> Iterator[None]:
        try:
            with self._cluster.no_hot_loops():
                yield
        except AssertionError as error:
            self._problem(f"{when}: {error}")

    def _problem(self, text: str) -> None:
        said = f"after {len(self._outcome.steps)} steps: {text}"
        if said not in self._outcome.problems:
            self._outcome.problems.append(said)

    # What happens

    async def _step(self) -> None:
        actions = [self._create] * 4 + [self._scale] * 3 + [self._roll] * 3 + [self._delete] * 2
        actions += (
            [self._kill] * 2 + [self._serve] * 2 + [self._lose_node, self._budget, self._clear_namespace, self._evict]
        )
        action = self._dice.choice(actions)
        try:
            await action()
        except errors.StatusError as error:
            # The namespace is going, or the budget does not allow it: that is an answer.
            self._note(f"{action.__name__}: {error}")

    def _note(self, text: str) -> None:
        self._outcome.steps.append(text)

    async def _create(self) -> None:
        plural, name, namespace = self._dice.choice(list(KINDS)), self._dice.choice(NAMES), self._place()
        self._note(f"create {plural} {namespace}/{name}")
        tree = {"metadata": {"name": name, "namespace": namespace}, "spec": self._spec(plural, name)}
        try:
            await self._client.create(codecs.from_tree(KINDS[plural], tree))
        except errors.StatusError as error:
            if error.reason != "AlreadyExists":
                raise

    def _spec(self, plural: str, name: str) -> dict[str, Any]:
        labels = {"app": name, "kind": plural}
        pod: dict[str, Any] = {"containers": [{"name": "main", "image": "app:1"}]}
        plays = {"simulated.pybernetes.io/start-seconds": "2", "simulated.pybernetes.io/ready": "3"}
        if plural == "jobs":
            exits = self._dice.choice(["0", "1,0", "1"])
            plays |= {"simulated.pybernetes.io/run-seconds": "20", "simulated.pybernetes.io/exit-code": exits}
        meta = {"labels": labels, "annotations": plays}
        spec: dict[str, Any] = {"template": {"metadata": meta, "spec": pod}}
        if plural == "jobs":
            pod["restartPolicy"] = self._dice.choice(["Never", "OnFailure"])
            return spec | {"completions": 3, "parallelism": 2, "backoffLimit": 4}
        spec["selector"] = {"matchLabels": labels}
        if plural == "deployments":
            bounds = self._dice.choice([{"maxUnavailable": 1, "maxSurge": 1}, {"maxUnavailable": 0, "maxSurge": 2}])
            spec |= {"replicas": 3, "strategy": {"type": "RollingUpdate", "rollingUpdate": bounds}}
        elif plural == "statefulsets":
            spec |= {"replicas": 2, "serviceName": name}
            spec["podManagementPolicy"] = self._dice.choice(["OrderedReady", "Parallel"])
        return spec

    def _place(self) -> str:
        return self._dice.choice(list(NAMESPACES))

    async def _pick(self, *kinds: str) -> Any | None:
        found = [
            one
            for kind in kinds or KINDS
            for one in (await self._client.list(KINDS[kind])).items
            if one.metadata.deletionTimestamp is None
        ]
        found.sort(key=lambda one: (one.kind, one.metadata.namespace, one.metadata.name))
        return self._dice.choice(found) if found else None

    async def _change(self, one: Any, patch: dict[str, Any]) -> None:
        await self._client.patch(type(one), one.metadata.name, one.metadata.namespace, {"spec": patch})

    async def _scale(self) -> None:
        one = await self._pick("deployments", "statefulsets")
        if one is not None:
            replicas = self._dice.below(6)
            self._note(f"scale {named(one)} to {replicas}")
            await self._change(one, {"replicas": replicas})

    async def _roll(self) -> None:
        one = await self._pick("deployments", "statefulsets", "daemonsets")
        if one is None:
            return
        whole = isinstance(one, apps_v1.Deployment) and one.status.availableReplicas == one.spec.replicas
        image = f"app:{self._dice.below(1000)}"
        self._note(f"roll {named(one)} to {image}")
        template = codecs.to_tree(one.spec.template)
        template["spec"]["containers"][0]["image"] = image
        await self._change(one, {"template": template})
        if whole and not await self._disturbed():
            await self._watch_rollout(one)

    async def _disturbed(self) -> bool:
        """Whether pods may become unready by something other than the rollout."""
        return any(
            condition.type == "Ready" and condition.status != "True"
            for node in (await self._client.list(core_v1.Node)).items
            for condition in node.status.conditions
        )

    async def _watch_rollout(self, one: apps_v1.Deployment) -> None:
        rolling = one.spec.strategy.rollingUpdate
        assert rolling is not None
        least = (one.spec.replicas or 0) - int(rolling.maxUnavailable or 0)
        for _ in range(40):
            await self._cluster.advance("3s")
            selector = f"app={one.metadata.name},kind=deployments"
            pods = (await self._client.list(core_v1.Pod, one.metadata.namespace, labels=selector)).items
            if await self._disturbed():
                return
            ready = sum(is_ready(pod) and pod.metadata.deletionTimestamp is None for pod in pods)
            if ready < least:
                self._problem(f"{named(one)}: {ready} pods ready in a rollout, where {least} must be")
                return

    async def _delete(self) -> None:
        one = await self._pick()
        if one is not None:
            propagation = self._dice.choice(["Background", "Foreground"])
            self._note(f"delete {named(one)} ({propagation})")
            await self._client.delete(type(one), one.metadata.name, one.metadata.namespace, propagation=propagation)

    async def _kill(self) -> None:
        pods = (await self._client.list(core_v1.Pod)).items
        if pods:
            pod = self._dice.choice(sorted(pods, key=lambda one: one.metadata.uid))
            self._note(f"kill {named(pod)}")
            await self._client.delete(
                core_v1.Pod, pod.metadata.name, pod.metadata.namespace, grace=self._dice.choice([0, 30])
            )

    async def _evict(self) -> None:
        pods = [pod for pod in (await self._client.list(core_v1.Pod)).items if is_ready(pod)]
        if pods:
            pod = self._dice.choice(sorted(pods, key=lambda one: one.metadata.uid))
            self._note(f"evict {named(pod)}")
            meta = meta_v1.ObjectMeta(name=pod.metadata.name, namespace=pod.metadata.namespace)
            await self._client.post(
                core_v1.Pod, meta.name, meta.namespace, "eviction", policy_v1.Eviction(metadata=meta)
            )

    async def _lose_node(self) -> None:
        name = f"node-{1 + self._dice.below(NODES)}"
        minutes = self._dice.choice([1, 4, 12])
        self._note(f"lose {name} for {minutes} minutes")
        with (
            self._cluster.fault(agent="kubelet", resource="leases", name=name, code=503),
            self._cluster.fault(agent="kubelet", resource="nodes", name=name, code=503),
        ):
            await self._cluster.advance(60.0 * minutes)

    async def _serve(self) -> None:
        """A Service comes, changes its type, or goes."""
        namespace, name = self._place(), self._dice.choice(NAMES)
        kind = self._dice.choice(["ClusterIP", "LoadBalancer", "LoadBalancer", ""])
        self._note(f"service {namespace}/{name}: {kind or 'none'}")
        tree = {
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"type": kind, "selector": {"app": name}, "ports": [{"port": 80}]},
        }
        try:
            if kind:
                await self._client.create(codecs.from_tree(core_v1.Service, tree))
            else:
                await self._client.delete(core_v1.Service, name, namespace)
        except errors.StatusError as error:
            if error.reason == "AlreadyExists":
                await self._client.patch(core_v1.Service, name, namespace, {"spec": {"type": kind}})
            elif error.reason != "NotFound":
                raise

    async def _budget(self) -> None:
        namespace, name = self._place(), self._dice.choice(NAMES)
        self._note(f"budget for {namespace}/{name}")
        tree = {
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"maxUnavailable": 1, "selector": {"matchLabels": {"app": name}}},
        }
        with contextlib.suppress(errors.StatusError):
            await self._client.create(codecs.from_tree(policy_v1.PodDisruptionBudget, tree))

    async def _clear_namespace(self) -> None:
        name = self._place()
        self._note(f"delete namespace {name}")
        await self._client.delete(core_v1.Namespace, name)
        await self._cluster.advance("10m")
        await self._make_namespace(name)

    async def _make_namespace(self, name: str) -> None:
        meta = meta_v1.ObjectMeta(name=name)
        try:
            await self._client.create(core_v1.Namespace(metadata=meta))
        except errors.StatusError as error:
            if error.reason != "AlreadyExists":
                raise
            # Still going; it is made with the next.
            return
        if name == "tight":
            tree = {
                "metadata": {"name": "pods", "namespace": name},
                "spec": {"hard": {"pods": str(PODS_ALLOWED)}},
            }
            await self._client.create(codecs.from_tree(core_v1.ResourceQuota, tree))
        await self._cluster.advance("1s")

    # What must hold

    async def _check_always(self) -> None:
        pods = (await self._client.list(core_v1.Pod)).items
        tight = [pod for pod in pods if pod.metadata.namespace == "tight" and not is_over(pod)]
        if len(tight) > PODS_ALLOWED:
            self._problem(f"{len(tight)} pods where the quota allows {PODS_ALLOWED}")
        ordinals = collections.Counter(
            (reference.uid, pod.metadata.labels.get("apps.kubernetes.io/pod-index"))
            for pod in pods
            for reference in pod.metadata.ownerReferences
            if reference.kind == "StatefulSet"
        )
        for (uid, ordinal), count in ordinals.items():
            if count > 1:
                self._problem(f"{count} pods of ordinal {ordinal} of the StatefulSet {uid}")

        given = collections.Counter(address for one in await self._services() for address in balanced(one))
        for address, count in given.items():
            if count > 1:
                self._problem(f"{count} Services have the address {address}")

    async def _services(self) -> list[core_v1.Service]:
        return [one for one in (await self._client.list(core_v1.Service)).items if one.spec.selector]

    async def _check_services(self) -> None:
        """Slices and Endpoints tell of the pods that are ready, and of no others."""
        services = await self._services()
        balanced_ones = [one for one in services if one.spec.type == "LoadBalancer"]
        served = sum(bool(balanced(one)) for one in services)
        if served != min(len(balanced_ones), 4) or any(balanced(one) for one in services if one not in balanced_ones):
            self._problem(f"{served} Services have addresses, of {len(balanced_ones)} that want one")
        for service in services:
            meta = service.metadata
            pods = (await self._client.list(core_v1.Pod, meta.namespace, labels=f"app={meta.name}")).items
            wanted = sorted(pod.status.podIP for pod in pods if is_ready(pod) and not pod.metadata.deletionTimestamp)
            labels = f"kubernetes.io/service-name={meta.name},endpointslice.kubernetes.io/managed-by"
            slices = (await self._client.list(discovery_v1.EndpointSlice, meta.namespace, labels=labels)).items
            told = sorted(ip for one in slices for end in one.endpoints if end.conditions.ready for ip in end.addresses)
            old = await self._client.get(core_v1.Endpoints, meta.name, meta.namespace)
            old_told = sorted(address.ip for subset in old.subsets for address in subset.addresses)
            if not told == old_told == wanted:
                self._problem(f"{named(service)}: slices have {told}, Endpoints {old_told}, ready are {wanted}")

    async def _check_end(self) -> None:
        await self._check_orphans()
        await self._check_services()
        for namespace in (await self._client.list(core_v1.Namespace)).items:
            if namespace.metadata.deletionTimestamp is not None:
                self._problem(f"namespace {namespace.metadata.name} does not go")
        for node in (await self._client.list(core_v1.Node)).items:
            if await self._disturbed() or node.spec.taints:
                self._problem(f"{named(node)} is not as it was: {node.spec.taints}")
        full = await self._is_full()
        for kind in KINDS.values():
            for one in (await self._client.list(kind)).items:
                if one.metadata.deletionTimestamp is not None:
                    self._problem(f"{named(one)} does not go: {one.metadata.finalizers}")
                elif one.metadata.namespace != "tight" or not full:
                    lack = lacking(one)
                    if lack:
                        self._problem(f"{named(one)}: {lack}")

    async def _is_full(self) -> bool:
        quotas = (await self._client.list(core_v1.ResourceQuota, "tight")).items
        if not quotas:
            # The namespace was still going when it was to be made anew.
            return False
        used = quotas[0].status.used.get("pods")
        pods = (await self._client.list(core_v1.Pod, "tight")).items
        counted = sum(not is_over(pod) for pod in pods)
        if used is None or used.as_int() != counted:
            self._problem(f"the quota counts {used} pods, where {counted} are")
        return counted >= PODS_ALLOWED

    async def _check_orphans(self) -> None:
        objects: list[Any] = []
        for resource in scheme.resources():
            if (resource.group, resource.version) in LOOKED_AT and "list" in resource.verbs:
                with contextlib.suppress(errors.StatusError):
                    objects += (await self._client.list(resource)).items
        known = {one.metadata.uid for one in objects}
        for one in objects:
            gone = [owner for owner in one.metadata.ownerReferences if owner.uid not in known]
            if gone:
                self._problem(f"{named(one)} belongs to {gone[0].kind} {gone[0].name}, which is gone")


LOOKED_AT = {("", "v1"), ("apps", "v1"), ("batch", "v1"), ("discovery.k8s.io", "v1"), ("policy", "v1")}


def named(one: Any) -> str:
    return f"{one.kind} {one.metadata.namespace}/{one.metadata.name}"


def balanced(service: core_v1.Service) -> list[str]:
    return [ingress.ip for ingress in service.status.loadBalancer.ingress]


def is_over(pod: core_v1.Pod) -> bool:
    return pod.status.phase in ("Succeeded", "Failed")


def is_ready(pod: core_v1.Pod) -> bool:
    return any(condition.type == "Ready" and condition.status == "True" for condition in pod.status.conditions)


def lacking(one: Any) -> str:
    """What the object still lacks of what it is to be; "" where it is so."""
    spec, status = one.spec, one.status
    if getattr(status, "observedGeneration", one.metadata.generation) != one.metadata.generation:
        return f"generation {one.metadata.generation} is not observed"
    if isinstance(one, apps_v1.Deployment):
        found = (status.replicas, status.updatedReplicas, status.availableReplicas)
        wanted = (spec.replicas,) * 3
    elif isinstance(one, apps_v1.StatefulSet):
        found = (status.replicas, status.updatedReplicas, status.readyReplicas)
        wanted = (spec.replicas,) * 3
    elif isinstance(one, apps_v1.DaemonSet):
        found = (status.currentNumberScheduled, status.updatedNumberScheduled, status.numberReady)
        wanted = (NODES,) * 3
    else:
        return "" if any(condition.status == "True" for condition in status.conditions) else "has not come to an end"
    return "" if found == wanted else f"has {found}, not {wanted}"
