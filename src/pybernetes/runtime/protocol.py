"""The seam between the kubelet and what runs containers: `Runtime`, shaped after CRI v1.

It knows sandboxes (a pod's shared namespaces), containers and images; no pod, no API type, no policy. Two
implementations: `runtime.cri` (containerd, CRI-O over gRPC) and `runtime.simulated` (pods as scripts in time).
All times are epoch seconds, 0.0 where unknown; all sizes are bytes.
"""

from __future__ import annotations

import enum
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol


class Error(Exception):
    """The runtime refused or failed; the message is its own."""


class NotFound(Error):
    """There is no such sandbox, container or image."""


class Unavailable(Error):
    """The runtime does not answer."""


class SandboxState(enum.Enum):
    READY = "READY"
    NOT_READY = "NOT_READY"


class ContainerState(enum.Enum):
    CREATED = "CREATED"
    RUNNING = "RUNNING"
    EXITED = "EXITED"
    UNKNOWN = "UNKNOWN"


class Namespace(enum.Enum):
    """Whose namespace a process joins: the pod's, its own, or the node's."""

    POD = "POD"
    CONTAINER = "CONTAINER"
    NODE = "NODE"


class Propagation(enum.Enum):
    PRIVATE = "PRIVATE"
    HOST_TO_CONTAINER = "HOST_TO_CONTAINER"
    BIDIRECTIONAL = "BIDIRECTIONAL"


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    runtime_name: str
    runtime_version: str
    api_version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One thing the runtime says about itself: `RuntimeReady` or `NetworkReady`."""

    type: str
    status: bool
    reason: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DNS:
    servers: Sequence[str] = ()
    searches: Sequence[str] = ()
    options: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PortMapping:
    """A port of the node that leads into the sandbox. `protocol` is TCP, UDP or SCTP."""

    protocol: str
    container_port: int
    host_port: int
    host_ip: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Namespaces:
    network: Namespace = Namespace.POD
    pid: Namespace = Namespace.CONTAINER
    ipc: Namespace = Namespace.POD


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A seccomp profile: `RuntimeDefault`, `Unconfined`, or `Localhost` with the file's path."""

    type: str = "Unconfined"
    path: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Security:
    """Identity and privileges of a process. None for a number means the image's choice."""

    privileged: bool = False
    run_as_user: int | None = None
    run_as_group: int | None = None
    supplemental_groups: Sequence[int] = ()
    strict_groups: bool = False
    read_only_root: bool = False
    no_new_privileges: bool = False
    add_capabilities: Sequence[str] = ()
    drop_capabilities: Sequence[str] = ()
    masked_paths: Sequence[str] = ()
    read_only_paths: Sequence[str] = ()
    seccomp: Profile = Profile()
    namespaces: Namespaces = Namespaces()


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """Linux control values: microseconds for period and quota, bytes for memory; 0 leaves a value alone."""

    cpu_period: int = 0
    cpu_quota: int = 0
    cpu_shares: int = 0
    memory_limit: int = 0
    oom_score_adj: int = 0
    unified: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxConfig:
    """`name`, `namespace`, `uid` and `attempt` together identify it; creating it twice is an error."""

    name: str
    namespace: str
    uid: str
    attempt: int = 0
    hostname: str = ""
    log_directory: str = ""
    dns: DNS = DNS()
    port_mappings: Sequence[PortMapping] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    cgroup_parent: str = ""
    sysctls: Mapping[str, str] = field(default_factory=dict)
    security: Security = Security()


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    container_path: str
    host_path: str
    read_only: bool = False
    propagation: Propagation = Propagation.PRIVATE


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerConfig:
    """`image` is the reference that `Images.pull` returned. `log_path` is relative to the sandbox's log directory."""

    name: str
    attempt: int = 0
    image: str = ""
    command: Sequence[str] = ()
    args: Sequence[str] = ()
    working_dir: str = ""
    env: Sequence[tuple[str, str]] = ()
    mounts: Sequence[Mount] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    log_path: str = ""
    stdin: bool = False
    stdin_once: bool = False
    tty: bool = False
    resources: Resources = Resources()
    security: Security = Security()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sandbox:
    id: str
    name: str
    namespace: str
    uid: str
    attempt: int
    state: SandboxState
    created_at: float
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxStatus:
    """`ips` is empty while the network is not set up, and for sandboxes on the node's network."""

    id: str
    state: SandboxState
    created_at: float
    ips: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    id: str
    sandbox_id: str
    name: str
    attempt: int
    image: str
    image_ref: str
    state: ContainerState
    created_at: float
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerStatus:
    """`reason` is the runtime's own word: `Completed`, `Error`, `OOMKilled`, `StartError`, `ContainerCannotRun`."""

    id: str
    name: str
    attempt: int
    state: ContainerState
    created_at: float
    started_at: float = 0.0
    finished_at: float = 0.0
    exit_code: int = 0
    image: str = ""
    image_ref: str = ""
    image_id: str = ""
    reason: str = ""
    message: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    log_path: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """`uid` is the numeric user it runs as, where it names one; `username` otherwise."""

    id: str
    tags: Sequence[str] = ()
    digests: Sequence[str] = ()
    size: int = 0
    uid: int | None = None
    username: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What a registry asks for."""

    username: str = ""
    password: str = ""
    server: str = ""
    identity_token: str = ""
    registry_token: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerStats:
    """`cpu_nanoseconds` is the total used since start."""

    id: str
    time: float
    labels: Mapping[str, str] = field(default_factory=dict)
    cpu_nanoseconds: int = 0
    working_set: int = 0
    memory_usage: int = 0
    rss: int = 0
    writable_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecResult:
    exit_code: int
    stdout: bytes = b""
    stderr: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something about the pod with that uid changed; look at it again. An empty uid means: at all of them."""

    pod_uid: str


STDOUT = 1
STDERR = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Exit:
    """How an exec or attach ended. `error` says why it could not even run; the code is then meaningless."""

    code: int = 0
    error: str = ""


class Process(Protocol):
    """A process's streams, opened by `exec` or `attach`. Closing it ends the streams, not the process."""

    async def read(self) -> tuple[int, bytes] | None:
        """The next output as (STDOUT or STDERR, bytes); None once both have ended."""
        ...

    async def write(self, data: bytes) -> None:
        """Feed its standard input; waits while it does not read."""
        ...

    async def end_input(self) -> None:
        """Close its standard input."""
        ...

    async def resize(self, *, width: int, height: int) -> None: ...

    async def exit(self) -> Exit:
        """Wait for the end; output not read by then may be lost."""
        ...

    async def close(self) -> None: ...


class Connection(Protocol):
    """A byte stream to a port inside a sandbox."""

    async def read(self) -> bytes:
        """Some bytes; b"" at the end. Raises Error with what the far side said went wrong."""
        ...

    async def write(self, data: bytes) -> None: ...

    async def end_input(self) -> None: ...

    async def close(self) -> None: ...


class Runtime(Protocol):
    """What runs sandboxes and containers. Every call raises `Error`; stop and remove of what is gone succeed."""

    async def version(self) -> Version: ...

    async def status(self) -> Sequence[Condition]: ...

    async def run_sandbox(self, config: SandboxConfig, *, handler: str = "") -> str: ...

    async def stop_sandbox(self, sandbox_id: str) -> None:
        """Also stops what still runs in it, at once."""
        ...

    async def remove_sandbox(self, sandbox_id: str) -> None: ...

    async def list_sandboxes(self, *, labels: Mapping[str, str] | None = None) -> Sequence[Sandbox]: ...

    async def sandbox_status(self, sandbox_id: str) -> SandboxStatus: ...

    async def create_container(
        self, sandbox_id: str, config: ContainerConfig, *, sandbox_config: SandboxConfig
    ) -> str: ...

    async def start_container(self, container_id: str) -> None: ...

    async def stop_container(self, container_id: str, *, grace: float) -> None:
        """Ask it to end, kill it after `grace` seconds, return when it has ended."""
        ...

    async def remove_container(self, container_id: str) -> None: ...

    async def list_containers(
        self, *, labels: Mapping[str, str] | None = None, sandbox_id: str = ""
    ) -> Sequence[Container]: ...

    async def container_status(self, container_id: str) -> ContainerStatus: ...

    async def update_resources(self, container_id: str, resources: Resources) -> None: ...

    async def stats(self, *, labels: Mapping[str, str] | None = None) -> Sequence[ContainerStats]: ...

    async def exec_sync(self, container_id: str, command: Sequence[str], *, timeout: float) -> ExecResult:
        """Run and collect; raises TimeoutError after `timeout` seconds (0: none)."""
        ...

    async def exec(
        self, container_id: str, command: Sequence[str], *, stdin: bool, stdout: bool, stderr: bool, tty: bool
    ) -> Process: ...

    async def attach(self, container_id: str, *, stdin: bool, stdout: bool, stderr: bool, tty: bool) -> Process: ...

    async def port_forward(self, sandbox_id: str, port: int) -> Connection: ...

    def read_logs(self, status: ContainerStatus) -> Logs | None:
        """The container's log where the runtime keeps it itself; None: it is the file `status.log_path`."""
        ...

    async def list_images(self) -> Sequence[Image]: ...

    async def image_status(self, name: str) -> Image | None: ...

    async def pull_image(
        self, name: str, *, credentials: Credentials | None = None, sandbox_config: SandboxConfig | None = None
    ) -> str:
        """Fetch it; the reference to create containers with."""
        ...

    async def remove_image(self, name: str) -> None: ...

    def events(self) -> AsyncIterator[Event]:
        """Changes from now on, for ever; may repeat themselves, never miss one for longer than a second."""
        ...

    async def close(self) -> None: ...


class Logs(Protocol):
    """A log kept in memory, in the CRI log format (`TIME STREAM TAG TEXT` lines)."""

    def lines(self, start: int) -> Sequence[bytes]:
        """Lines from the given index on."""
        ...

    async def changed(self, start: int) -> bool:
        """Wait until there are lines from that index on (True) or there will be none (False)."""
        ...
