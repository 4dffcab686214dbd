"""Where a cluster keeps what it keeps: one data directory that survives, one run directory that does not."""

from __future__ import annotations

import hashlib
import json
import os
import pathlib
from dataclasses import asdict, dataclass

SYSTEM_DATA = pathlib.Path("/var/lib/pybernetes")


def default_data_dir() -> pathlib.Path:
    """/var/lib/pybernetes for root, the user's own data directory otherwise."""
    if os.geteuid() == 0:
        return SYSTEM_DATA
    base = os.environ.get("XDG_DATA_HOME") or pathlib.Path.home() / ".local" / "share"
    return pathlib.Path(base) / "pybernetes"


@dataclass(frozen=True, slots=True)
class Layout:
    """Paths under `data`."""

    data: pathlib.Path

    @property
    def run(self) -> pathlib.Path:
        """On a tmpfs where there is one of ours to write to: sockets, pid files, containerd's state."""
        if os.geteuid() != 0:
            return self.data / "run"
        # Unix socket paths are short; clusters with other data directories get a run directory of their own.
        if self.data == SYSTEM_DATA:
            return pathlib.Path("/run/pybernetes")
        return pathlib.Path("/run") / f"pybernetes-{hashlib.sha256(str(self.data).encode()).hexdigest()[:8]}"

    @property
    def pki(self) -> pathlib.Path:
        return self.data / "pki"

    @property
    def logs(self) -> pathlib.Path:
        return self.data / "logs"

    @property
    def database(self) -> pathlib.Path:
        return self.data / "store.db"

    @property
    def kubeconfig(self) -> pathlib.Path:
        """The administrator's."""
        return self.data / "kubeconfig"

    def component_kubeconfig(self, component: str) -> pathlib.Path:
        return self.data / "kubeconfigs" / component

    @property
    def options(self) -> pathlib.Path:
        """What the last `up` was told."""
        return self.data / "cluster.json"

    @property
    def pid_file(self) -> pathlib.Path:
        """The supervisor's; locked while it runs."""
        return self.data / "supervisor.pid"

    def log(self, component: str) -> pathlib.Path:
        return self.logs / f"{component}.log"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What `up` can be told, kept for the commands that follow."""

    api_port: int = 6443
    store: str = "sqlite"
    runtime: str = "containerd"
    node_name: str = ""
    node_ip: str = ""
    kubelet_port: int = 10250
    service_cidr: str = "10.96.0.0/12"
    cluster_cidr: str = "10.244.0.0/16"
    pod_cidr: str = "10.244.0.0/24"
    # What `--controllers` takes; "" for none.
    controllers: str = "*"
    scheduler: bool = True
    dns: bool = True
    legacy_tokens: bool = False
    # Ranges of addresses separated by commas.
    load_balancer_pool: str = ""
    token_auth_file: str = ""
    runtime_config: str = ""
    # URLs separated by commas, and files; for the store `etcd`.
    etcd_servers: str = ""
    etcd_cafile: str = ""
    etcd_certfile: str = ""
    etcd_keyfile: str = ""
    merge_kubeconfig: bool = True
    # Simulated nodes: how many, the zones they are dealt out to, and what they are like; as `up` takes them.
    nodes: int = 1
    zones: str = ""
    node_labels: str = ""
    node_taints: str = ""
    node_capacity: str = ""
    scripts: str = ""

    @property
    def has_all_controllers(self) -> bool:
        """Otherwise somebody else's take part, in their own time: nothing here waits for what they do."""
        return self.controllers == "*"

    def write(self, path: pathlib.Path) -> None:
        path.write_text(json.dumps(asdict(self), indent=2) + "\n")

    @classmethod
    def read(cls, path: pathlib.Path) -> Options:
        """Raises FileNotFoundError where there has been no `up`."""
        known = cls.__dataclass_fields__
        return cls(**{name: value for name, value in json.loads(path.read_text()).items() if name in known})
