"""Writes the EndpointSlices that tell proxies and DNS where a Service's pods are."""

from __future__ import annotations

from pybernetes.api import errors
from pybernetes.api.types import core_v1, discovery_v1
from pybernetes.controllers import pods, services
from pybernetes.controllers.context import Context
from pybernetes.controllers.endpointslice import planner
from pybernetes.controllers.endpointslice import topology as topologies
from pybernetes.controllers.expectations import Expectations
from pybernetes.informers import key_of, split_key

NAME = "endpointslice-controller"


class EndpointSlices:
    """The controller. Work items are Services."""

    def __init__(self, context: Context) -> None:
        self._context, self._client = context, context.client
        self._recorder = context.recorder(NAME)
        self._queue = context.queue(NAME)
        self._expected = Expectations(context.clock)
        self._topology = topologies.Topology()
        self._services = context.informers.of(core_v1.Service)
        self._pods = context.informers.of(core_v1.Pod)
        self._nodes = context.informers.of(core_v1.Node)
        self._slices = context.informers.of(
            discovery_v1.EndpointSlice, labels=f"{planner.MANAGED_BY}={planner.MANAGER}"
        )
        self._slices.add_index("service", lambda one: (planner.service_key(one),))
        self._watcher = services.Watcher(self._services, self._pods, self._queue.add)
        self._slices.on_change(self._slice_changed)
        self._nodes.on_change(self._node_changed)

    async def run(self) -> None:
        after = (self._services, self._pods, self._nodes, self._slices)
        await self._context.reconcile(NAME, self._queue, self.reconcile, after=after)

    def _slice_changed(self, old: discovery_v1.EndpointSlice | None, new: discovery_v1.EndpointSlice | None) -> None:
        one = new or old
        if one is None:
            return
        key = planner.service_key(one)
        if old is None:
            self._expected.creation_observed(key)
        self._queue.add(key, f"EndpointSlice {key_of(one)} changed")

    def _node_changed(self, old: core_v1.Node | None, new: core_v1.Node | None) -> None:
        zones = {node.metadata.labels.get(topologies.ZONE) for node in (old, new) if node is not None}
        if len(zones) > 1:
            for service in self._services.cache:
                self._queue.add(key_of(service), "a node's zone changed")
        if old is None or new is None or len(zones) > 1 or topologies.ready(old) != topologies.ready(new):
            for key in self._topology.learn(self._nodes.cache):
                self._queue.add(key, "a zone has too few of its endpoints since nodes changed")

    async def reconcile(self, key: str) -> None:
        namespace, name = split_key(key)
        service = self._services.cache.get(name, namespace)
        if service is None:
            # The garbage collector removes the slices, which the Service owns.
            self._expected.forget(key)
            self._topology.forget(key)
            return
        if not services.has_endpoints(service) or not self._expected.satisfied(key):
            return
        existing = [one for one in self._slices.cache.index("service", key) if one.metadata.deletionTimestamp is None]
        nodes = {node.metadata.name: node for node in self._nodes.cache}
        plan = planner.plan(
            service,
            self._watcher.pods_of(service),
            existing,
            nodes,
            self._topology,
            limit=self._context.settings.max_endpoints_per_slice,
        )
        for severity, reason, message in plan.events:
            self._recorder.event(service, severity, reason, message)
        try:
            await self._write(key, plan)
        except errors.StatusError as error:
            if pods.has_cause(error, pods.NAMESPACE_TERMINATING):
                return
            if error.reason != "Conflict":
                message = f"Error updating Endpoint Slices for Service {key}: {error}"
                self._recorder.event(service, "Warning", "FailedToUpdateEndpointSlices", message)
            raise

    async def _write(self, key: str, plan: planner.Plan) -> None:
        # Additions before removals: an endpoint that moves is then never missing.
        for one in plan.create:
            self._expected.expect_creations(key, 1)
            try:
                await self._client.create(one)
            except BaseException:
                self._expected.creation_observed(key)
                raise
        for one in plan.update:
            await self._client.update(one)
        for one in plan.delete:
            try:
                await self._client.delete(discovery_v1.EndpointSlice, one.metadata.name, one.metadata.namespace)
            except errors.StatusError as error:
                if error.reason != "NotFound":
                    raise
