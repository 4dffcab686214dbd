"""What a kubelet is told at its start."""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from pybernetes.api import version
from pybernetes.api.types import core_v1
from pybernetes.kubelet.containers import labels as container_labels


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Names and defaults are upstream's; times are seconds.

    `root` holds volumes, hosts files and tokens; `logs` holds the containers' logs. `mounts` says whether the kubelet
    may mount (root): without it, memory-backed volumes are plain folders, as the simulated runtime needs them.
    `probe_answer` answers HTTP, TCP and gRPC probes instead of the network, where pods are simulated.

    A node that is not to `register` is made by others, and waited for. Who may see what the kubelet serves is told by
    certificates of `client_ca`, by bearer tokens if `tokens`, and then, if it `authorizes`, by the API server;
    `anonymous` is whether somebody unknown is asked about, too. `health_port` serves /healthz to everybody, in plain
    HTTP; 0 is none.
    """

    node_name: str
    root: pathlib.Path
    logs: pathlib.Path = pathlib.Path("/var/log/pods")
    node_ip: str = ""
    register: bool = True
    provider_id: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: Sequence[tuple[str, str, str]] = ()
    pod_cidr: str = "10.244.0.0/24"
    max_pods: int = 110
    capacity: Mapping[str, str] = field(default_factory=dict)
    cluster_dns: Sequence[str] = ()
    cluster_domain: str = "cluster.local"
    resolv_conf: pathlib.Path = pathlib.Path("/etc/resolv.conf")
    cgroup_root: str = "/pybernetes"
    mounts: bool = True
    runtime_scheme: str = "containerd"
    probe_answer: Callable[[core_v1.Pod, container_labels.AnyContainer, str, float], bool] | None = None
    version: str = version.GIT_VERSION

    status_frequency: float = 10.0
    report_frequency: float = 300.0
    lease_seconds: int = 40
    restart_backoff: float = 10.0
    max_restart_backoff: float = 300.0

    serve: bool = True
    address: str = "0.0.0.0"
    port: int = 10250
    certificate: pathlib.Path | None = None
    key: pathlib.Path | None = None
    client_ca: pathlib.Path | None = None
    anonymous: bool = False
    tokens: bool = True
    authorizes: bool = True
    health_address: str = "127.0.0.1"
    health_port: int = 0
