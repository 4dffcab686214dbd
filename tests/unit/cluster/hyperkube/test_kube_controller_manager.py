"""The flags of kube-controller-manager, and what they mean to the controllers."""

from __future__ import annotations

import pytest

from pybernetes.cluster.hyperkube import flags
from pybernetes.cluster.hyperkube.kube_controller_manager import command
from pybernetes.cluster.hyperkube.kube_controller_manager import flags as table
from pybernetes.controllers import Settings
from pybernetes.kits import clock


def test_without_flags_all_is_as_upstream_has_it() -> None:
    assert command.settings_of(flags.parse(table.TABLE, [])) == Settings()


def test_flags_of_nodes_and_autoscalers() -> None:
    given = flags.parse(
        table.TABLE,
        [
            "--node-eviction-rate=1",
            "--secondary-node-eviction-rate=0.5",
            "--unhealthy-zone-threshold=0.8",
            "--large-cluster-size-threshold=9",
            "--node-startup-grace-period=2m",
            "--horizontal-pod-autoscaler-sync-period=5s",
            "--horizontal-pod-autoscaler-tolerance=0.2",
            "--horizontal-pod-autoscaler-downscale-stabilization=1m",
            "--concurrent-horizontal-pod-autoscaler-syncs=7",
            "--legacy-service-account-tokens",
        ],
    )
    assert command.settings_of(given) == Settings(
        node_eviction_rate=1.0,
        secondary_node_eviction_rate=0.5,
        unhealthy_zone_threshold=0.8,
        large_cluster_size_threshold=9,
        node_startup_grace_period=120.0,
        horizontal_pod_autoscaler_sync_period=5.0,
        horizontal_pod_autoscaler_tolerance=0.2,
        horizontal_pod_autoscaler_downscale_stabilization=60.0,
        concurrent_horizontal_pod_autoscaler_syncs=7,
        legacy_tokens=True,
    )


def test_somebody_must_look_at_autoscalers() -> None:
    given = flags.parse(table.TABLE, ["--concurrent-horizontal-pod-autoscaler-syncs=0"])
    words = "concurrent-horizontal-pod-autoscaler-syncs must be greater than 0, but got 0"
    with pytest.raises(flags.FlagError, match=words):
        command._make(given, clock.SystemClock())
