"""A node in virtual time: an API in memory, the simulated runtime, and a kubelet between them."""

from __future__ import annotations

import asyncio
import pathlib
from collections.abc import AsyncIterator
from concurrent import futures
from contextlib import asynccontextmanager
from typing import Any

from pybernetes import kubelet
from pybernetes.api import codecs, scheme
from pybernetes.api.patch import strategic
from pybernetes.api.types import authentication_v1, core_v1, meta_v1
from pybernetes.client import STRATEGIC_PATCH, Call
from pybernetes.informers import Informers
from pybernetes.kits.chance import Chance
from pybernetes.kits.clock import VirtualClock
from pybernetes.runtime.simulated import Simulated
from tests.fakes import api

NODE = "n1"


class NodeApi(api.FakeApi):
    """With what kubelets need besides: strategic merge patches, and tokens for service accounts."""

    def _write(self, call: Call, resource: scheme.Resource, namespace: str, name: str, subresource: str) -> Any:
        if call.method == "PATCH" and call.content_type == STRATEGIC_PATCH:
            current = self._get(resource, namespace, name)
            tree = strategic.apply(codecs.to_tree(current), call.body, type(current))
            tree["metadata"]["resourceVersion"] = ""
            patched = codecs.from_tree(type(current), tree)
            call = Call(method="PUT", path=call.path, body=patched, resource=call.resource)
        return super()._write(call, resource, namespace, name, subresource)

    def _post(self, call: Call, resource: scheme.Resource, namespace: str, name: str, subresource: str) -> Any:
        if subresource == "token":
            answer = codecs.copy(call.body)
            answer.status = authentication_v1.TokenRequestStatus(token=f"token-of-{name}")
            return answer
        return super()._post(call, resource, namespace, name, subresource)


class AtOnce(futures.ThreadPoolExecutor):
    """Does what threads would do in the event loop's own, so that virtual time does not pass while they are busy."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> futures.Future[Any]:
        done: futures.Future[Any] = futures.Future()
        try:
            done.set_result(fn(*args, **kwargs))
        except Exception as error:
            done.set_exception(error)
        return done


class Node:
    def __init__(self, root: pathlib.Path) -> None:
        self.clock, self.chance = VirtualClock(), Chance(1)
        self.api = NodeApi(clock=self.clock, chance=self.chance)
        self.client = self.api.client()
        self.runtime = Simulated(clock=self.clock, chance=self.chance)
        self.settings = kubelet.Settings(
            node_name=NODE,
            root=root / "kubelet",
            logs=root / "logs",
            node_ip="192.0.2.7",
            mounts=False,
            serve=False,
            runtime_scheme="simulated",
        )
        self._close: list[Any] = []

    async def start(self) -> kubelet.Kubelet:
        asyncio.get_running_loop().set_default_executor(AtOnce())
        informers = Informers(self.client, clock=self.clock, chance=self.chance)
        self.kubelet = kubelet.Kubelet(
            self.settings, self.client, self.runtime, informers, clock=self.clock, chance=self.chance
        )
        self._running = asyncio.create_task(self.kubelet.run())
        self._informers = informers
        await self.kubelet.registered.wait()
        return self.kubelet

    async def stop(self) -> None:
        self._running.cancel()
        await asyncio.wait([self._running])
        await self.kubelet.close()
        await self._informers.close()

    async def until(self, what: Any, *, seconds: float = 0.0) -> None:
        """Let things happen until the condition holds; virtual time passes only as given, in small steps."""
        rounds = 400
        for _ in range(rounds):
            await self.clock.advance(seconds / rounds)
            if what():
                return
        raise AssertionError("the condition did not come true")

    def pod(self, name: str) -> core_v1.Pod | None:
        found: core_v1.Pod | None = self.api.find(core_v1.Pod, name, "default")
        return found

    def phase(self, name: str) -> str:
        found = self.pod(name)
        return "" if found is None else found.status.phase

    def events(self, name: str) -> list[tuple[str, str]]:
        return [
            (event.reason, event.message) for event in self.api.all(core_v1.Event) if event.involvedObject.name == name
        ]


@asynccontextmanager
async def running(root: pathlib.Path) -> AsyncIterator[Node]:
    node = Node(root)
    await node.start()
    try:
        yield node
    finally:
        await node.stop()
        await node.runtime.close()


def container(name: str = "c", *command: str, **more: Any) -> core_v1.Container:
    return core_v1.Container(name=name, image="nginx:1", command=list(command), **more)


def pod(name: str = "web", *containers: core_v1.Container, **spec: Any) -> core_v1.Pod:
    return core_v1.Pod(
        metadata=meta_v1.ObjectMeta(name=name, namespace="default"),
        spec=core_v1.PodSpec(
            nodeName=NODE,
            restartPolicy=spec.pop("restartPolicy", "Always"),
            containers=list(containers) or [container()],
            **spec,
        ),
    )
