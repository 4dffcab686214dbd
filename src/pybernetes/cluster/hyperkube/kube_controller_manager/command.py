"""The command line of `hyperkube kube-controller-manager`."""

from __future__ import annotations

import functools
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pybernetes.cluster import processes
from pybernetes.cluster.hyperkube import connection, ports, running
from pybernetes.cluster.hyperkube import flags as flags_
from pybernetes.cluster.hyperkube.kube_controller_manager import flags, work
from pybernetes.cluster.hyperkube.ports import flags as ports_flags
from pybernetes.controllers import Settings, run
from pybernetes.kits import chance as chances
from pybernetes.kits import clock as clocks

NAME = "kube-controller-manager"
DESCRIPTION = """\
Run the controllers: what brings the cluster, step by step, from what it is to what its objects say.

usage: hyperkube kube-controller-manager [FLAGS]

examples:
  hyperkube kube-controller-manager --kubeconfig=controller-manager.conf --use-service-account-credentials
  hyperkube kube-controller-manager --master=http://127.0.0.1:8080 --root-ca-file=ca.crt \\
      --service-account-private-key-file=sa.key --controllers=*,-garbage-collector-controller
"""


def main(words: Sequence[str]) -> int:
    return running.run(NAME, DESCRIPTION, flags.TABLE, words, _make)


def _make(given: Mapping[str, Any], clock: clocks.Clock) -> processes.Part:
    only = ",".join(given["controllers"] or ["*"])
    problems = [*ports_flags.problems(given), *connection.problems(given), *_problems(given)]
    if problems:
        raise flags_.FlagError("\n".join(problems))
    try:
        run.chosen(only)
        settings = settings_of(given)
    except ValueError as error:
        raise flags_.FlagError(str(error)) from None
    chance = chances.Chance()
    shown = ports.Shown(NAME)
    shown.config = lambda: {"kubecontrollermanager.config.k8s.io": _configuration(given)}
    running_ = functools.partial(
        work.run,
        only=only,
        settings=settings,
        own_accounts=given["use-service-account-credentials"],
        connect=functools.partial(connection.client_of, given, shown.answered),
        shown=shown,
        clock=clock,
        chance=chance,
    )
    return connection.Process(shown, given, running_, clock=clock, chance=chance)


def _problems(given: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with the component's own flags, or does not go together."""
    for flag, _, _ in flags.WORKERS:
        if given[flag] < 1:
            yield f"{flag} must be greater than 0, but got {given[flag]}"
    if bool(given["cluster-signing-cert-file"]) != bool(given["cluster-signing-key-file"]):
        yield "--cluster-signing-cert-file and --cluster-signing-key-file go together"
    if given["allocate-node-cidrs"] and not given["cluster-cidr"]:
        yield "--allocate-node-cidrs needs --cluster-cidr"


def _configuration(given: Mapping[str, Any]) -> dict[str, Any]:
    """What the flags come to, under the names that upstream's configuration has for the most of them."""
    workers = {controller: given[flag] for flag, controller, _ in flags.WORKERS}
    return {
        "apiVersion": "kubecontrollermanager.config.k8s.io/v1alpha1",
        "kind": "KubeControllerManagerConfiguration",
        "Generic": {
            "Port": given["secure-port"],
            "Address": given["bind-address"],
            "Controllers": given["controllers"] or ["*"],
            "ClientConnection": {"Kubeconfig": given["kubeconfig"]},
            "LeaderElection": connection.election_of(given),
            "Debugging": {"EnableProfiling": given["profiling"]},
        },
        "KubeCloudShared": {
            "ClusterName": given["cluster-name"],
            "ClusterCIDR": str(given["cluster-cidr"] or ""),
            "AllocateNodeCIDRs": given["allocate-node-cidrs"],
            "UseServiceAccountCredentials": given["use-service-account-credentials"],
        },
        "Concurrent": workers,
    }


def settings_of(given: Mapping[str, Any]) -> Settings:
    """What the flags say about the controllers. Raises ValueError."""
    return Settings(
        ca=_read(given, "root-ca-file"),
        signing_certificate=_read(given, "cluster-signing-cert-file"),
        signing_key=_read(given, "cluster-signing-key-file"),
        signing_duration=given["cluster-signing-duration"],
        workers={controller: given[flag] for flag, controller, usual in flags.WORKERS if given[flag] != usual},
        sign_token=work.signer(_read(given, "service-account-private-key-file")),
        legacy_tokens=given["legacy-service-account-tokens"],
        legacy_token_unused=given["legacy-service-account-token-clean-up-period"],
        cluster_cidr=(given["cluster-cidr"] or "") if given["allocate-node-cidrs"] else "",
        load_balancer_pool=work.pool(given["load-balancer-pool"] or ()),
        max_endpoints_per_slice=given["max-endpoints-per-slice"],
        node_cidr_mask_size=given["node-cidr-mask-size"],
        node_monitor_grace_period=given["node-monitor-grace-period"],
        node_startup_grace_period=given["node-startup-grace-period"],
        node_eviction_rate=given["node-eviction-rate"],
        secondary_node_eviction_rate=given["secondary-node-eviction-rate"],
        unhealthy_zone_threshold=given["unhealthy-zone-threshold"],
        large_cluster_size_threshold=given["large-cluster-size-threshold"],
        terminated_pod_threshold=given["terminated-pod-gc-threshold"],
        concurrent_horizontal_pod_autoscaler_syncs=_workers(given, "concurrent-horizontal-pod-autoscaler-syncs"),
        horizontal_pod_autoscaler_sync_period=given["horizontal-pod-autoscaler-sync-period"],
        horizontal_pod_autoscaler_downscale_stabilization=given["horizontal-pod-autoscaler-downscale-stabilization"],
        horizontal_pod_autoscaler_tolerance=given["horizontal-pod-autoscaler-tolerance"],
        horizontal_pod_autoscaler_cpu_initialization_period=given[
            "horizontal-pod-autoscaler-cpu-initialization-period"
        ],
        horizontal_pod_autoscaler_initial_readiness_delay=given["horizontal-pod-autoscaler-initial-readiness-delay"],
    )


def _workers(given: Mapping[str, Any], flag: str) -> int:
    count: int = given[flag]
    if count < 1:
        raise ValueError(f"{flag} must be greater than 0, but got {count}")
    return count


def _read(given: Mapping[str, Any], flag: str) -> bytes:
    if not given[flag]:
        return b""
    try:
        return pathlib.Path(given[flag]).read_bytes()
    except OSError as error:
        raise flags_.FlagError(f"--{flag}: {error}") from None
