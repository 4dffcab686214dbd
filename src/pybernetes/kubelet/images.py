"""Having a container's image: pull policy, back-off, and upstream's words for both."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable

from pybernetes.api import times
from pybernetes.api.types import core_v1
from pybernetes.kits import clock as clocks
from pybernetes.kubelet import backoffs
from pybernetes.kubelet.containers import environment, labels
from pybernetes.runtime import protocol

# While a pull waits for its back-off, somebody may bring the image in.
LOOK_SECONDS = 10.0

Say = Callable[[str, str, str], None]


class ImageError(Exception):
    """The image cannot be had now; `reason` is the container's waiting reason, `wait` says when to look again."""

    def __init__(self, reason: str, message: str, *, wait: float = 0.0) -> None:
        super().__init__(message)
        self.reason, self.wait = reason, min(wait, LOOK_SECONDS)


def with_default_tag(image: str) -> str:
    """`busybox` -> `busybox:latest`."""
    last = image.rsplit("/", 1)[-1]
    return image if ":" in last or "@" in last else f"{image}:latest"


def policy_of(container: labels.AnyContainer) -> str:
    if container.imagePullPolicy:
        return container.imagePullPolicy
    return "Always" if with_default_tag(container.image).endswith(":latest") else "IfNotPresent"


class Images:
    """Looks images up and pulls them, one pull per image at a time per pod."""

    def __init__(
        self, runtime: protocol.Runtime, source: environment.Source, *, clock: clocks.Clock, first: float, cap: float
    ) -> None:
        self._runtime, self._source, self._clock = runtime, source, clock
        self._backoffs = backoffs.Backoffs(first=first, cap=cap, clock=clock)
        self._failures: dict[str, str] = {}
        self._failed_at: dict[str, float] = {}

    async def ensure(
        self, pod: core_v1.Pod, container: labels.AnyContainer, config: protocol.SandboxConfig, say: Say
    ) -> protocol.Image:
        """The image, present. `say` takes an event's type, reason and message. Raises ImageError."""
        name = container.image
        if not _well_formed(name):
            why = f'couldn\'t parse image name "{name}": invalid reference format'
            message = f'Failed to apply default image tag "{name}": {why}'
            say("Warning", "InspectFailed", message)
            raise ImageError("InvalidImageName", message)
        tagged = with_default_tag(name)
        policy = policy_of(container)
        found = await self._runtime.image_status(tagged)
        if found is not None and policy != "Always":
            say(
                "Normal",
                "Pulled",
                f'Container image "{name}" already present on machine and can be accessed by the pod',
            )
            return found
        if policy == "Never":
            message = f'Container image "{name}" is not present with pull policy of Never'
            say("Warning", "ErrImageNeverPull", message)
            raise ImageError("ErrImageNeverPull", message)
        return await self._pull(pod, tagged, name, config, say)

    async def _pull(
        self, pod: core_v1.Pod, tagged: str, name: str, config: protocol.SandboxConfig, say: Say
    ) -> protocol.Image:
        key = f"{pod.metadata.uid}_{tagged}"
        now = self._clock.time()
        last = self._failed_at.get(key, 0.0)
        wait = self._backoffs.remaining(key, last) if last else 0.0
        if wait > 0:
            message = f'Back-off pulling image "{name}"'
            say("Normal", "BackOff", message)
            raise ImageError("ImagePullBackOff", f"{message}: ErrImagePull: {self._failures.get(key, '')}", wait=wait)
        say("Normal", "Pulling", f'Pulling image "{name}"')
        started = self._clock.monotonic()
        try:
            await self._fetch(pod, tagged, config)
        except protocol.Error as error:
            say("Warning", "Failed", f'Failed to pull image "{name}": {error}')
            self._backoffs.next(key, now)
            self._failed_at[key] = self._clock.time()
            self._failures[key] = str(error)
            raise ImageError("ErrImagePull", str(error), wait=self._backoffs.delay(key)) from None
        found = await self._runtime.image_status(tagged)
        if found is None:
            raise ImageError("ImageInspectError", f'Failed to inspect image "{name}": not there after the pull')
        took = times.go_duration(round(self._clock.monotonic() - started, 3))
        say(
            "Normal",
            "Pulled",
            f'Successfully pulled image "{name}" in {took} ({took} including waiting). Image size: {found.size} bytes.',
        )
        return found

    async def _fetch(self, pod: core_v1.Pod, tagged: str, config: protocol.SandboxConfig) -> None:
        """Try every fitting pull secret, then without one."""
        last: protocol.Error | None = None
        for credentials in [*await self._credentials(pod, tagged), None]:
            try:
                await self._runtime.pull_image(tagged, credentials=credentials, sandbox_config=config)
                return
            except protocol.Error as error:
                last = last or error
        if last is not None:
            raise last

    async def _credentials(self, pod: core_v1.Pod, image: str) -> list[protocol.Credentials]:
        found = []
        for reference in pod.spec.imagePullSecrets:
            secret = await self._source.secret(pod.metadata.namespace, reference.name)
            if secret is not None:
                found += registry_credentials(secret, image)
        return found

    def forget(self, uid: str) -> None:
        self._backoffs.forget(uid)
        for key in [key for key in self._failed_at if key.startswith(uid)]:
            del self._failed_at[key], self._failures[key]


def registry_of(image: str) -> str:
    first, slash, _ = image.partition("/")
    return first if slash and ("." in first or ":" in first or first == "localhost") else "index.docker.io"


def registry_credentials(secret: core_v1.Secret, image: str) -> list[protocol.Credentials]:
    """From a `.dockerconfigjson` or `.dockercfg` secret, those of the image's registry."""
    raw = secret.data.get(".dockerconfigjson") or secret.data.get(".dockercfg")
    if raw is None:
        return []
    try:
        tree = json.loads(base64.b64decode(raw))
    except ValueError:
        return []
    wanted = registry_of(image)
    found = []
    for server, entry in tree.get("auths", tree).items():
        host = server.removeprefix("https://").removeprefix("http://").split("/")[0]
        if host != wanted and {host, wanted} - {"docker.io", "index.docker.io", "registry-1.docker.io"}:
            continue
        username, password = entry.get("username", ""), entry.get("password", "")
        if not username and entry.get("auth"):
            username, _, password = base64.b64decode(entry["auth"]).decode().partition(":")
        found.append(protocol.Credentials(username=username, password=password, server=server))
    return found


def _well_formed(image: str) -> bool:
    name = image.split("@")[0]
    path, _, tag = name.rpartition(":")
    if "/" in tag or not path:
        path, tag = name, "latest"
    repository = path.split("/", 1)[-1] if "/" in path else path
    return bool(repository) and repository == repository.lower() and not any(c.isspace() for c in image) and bool(tag)
