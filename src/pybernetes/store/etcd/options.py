"""Where an etcd is, and how to get in: what kube-apiserver's `--etcd-...` flags say."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """`servers` are URLs (`http://` or `https://`) of the members of one etcd cluster, tried in turn.

    The files are PEM: `cafile` who vouches for the members (the system's authorities if ""), `certfile` and `keyfile`
    who we are. `prefix` is what all keys are kept under, in place of the `/registry` that they begin with here.
    `deadline` is after how many seconds a request is given up.
    """

    servers: tuple[str, ...]
    cafile: str = ""
    certfile: str = ""
    keyfile: str = ""
    prefix: str = "/registry"
    deadline: float = 15.0
