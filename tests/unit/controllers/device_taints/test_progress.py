"""What DeviceTaintRules say about what they do."""

from __future__ import annotations

import pytest

from pybernetes.api import codecs, times
from pybernetes.api.types import resource_v1beta2
from pybernetes.controllers.device_taints import decide, progress

NOW = 1_000_000.0


def rule(effect: str = "NoExecute", generation: int = 1) -> decide.Rule:
    tree = {"metadata": {"name": "r", "generation": generation}, "spec": {"taint": {"key": "k", "effect": effect}}}
    return codecs.from_tree(resource_v1beta2.DeviceTaintRule, tree)


NOT_AGAIN = "This information will not be updated again. Recreate the DeviceTaintRule to trigger an update."
SEVERAL = "3 pods need to be evicted in 2 different namespaces. 1 pod evicted since starting the controller."
ONE_EACH = "1 published device selected. 2 allocated devices selected. 1 pod would be evicted in 1 namespace"
NONE = "0 published devices selected. 0 allocated devices selected. 0 pods would be evicted in 0 different namespaces"
OTHER = "Eviction only happens for the NoExecute effect."
IF = f"if the effect was NoExecute. {NOT_AGAIN}"


@pytest.mark.parametrize(
    ("effect", "seen", "evicted", "reason", "message"),
    [
        ("NoExecute", progress.Seen(), 0, "NotStarted", ""),
        ("NoExecute", progress.Seen(1, 1), 0, "PodsPendingEviction", "1 pod needs to be evicted in 1 namespace."),
        ("NoExecute", progress.Seen(3, 2), 1, "PodsPendingEviction", SEVERAL),
        ("NoExecute", progress.Seen(), 2, "Completed", "2 pods evicted since starting the controller."),
        ("NoSchedule", progress.Seen(), 0, "OtherEffect", OTHER),
        ("None", progress.Seen(1, 1, 1, 2), 0, "NoEffect", f"{ONE_EACH} {IF}"),
        ("None", progress.Seen(), 0, "NoEffect", f"{NONE} {IF}"),
    ],
)
def test_words(effect: str, seen: progress.Seen, evicted: int, reason: str, message: str) -> None:
    made = progress.condition(rule(effect), seen, evicted, NOW)
    status = "True" if reason == "PodsPendingEviction" else "False"
    assert (made.type, made.status, made.reason, made.message) == ("EvictionInProgress", status, reason, message)
    assert (made.observedGeneration, made.lastTransitionTime) == (1, times.to_time(NOW))


def test_its_time_is_when_anything_changed() -> None:
    one = rule()
    one.status.conditions = [progress.condition(one, progress.Seen(2, 1), 0, NOW)]
    assert progress.condition(one, progress.Seen(2, 1), 0, NOW + 20) == one.status.conditions[0]
    other = progress.condition(one, progress.Seen(1, 1), 1, NOW + 20)
    assert (other.status, other.lastTransitionTime) == ("True", times.to_time(NOW + 20))


def test_updates_keep_their_distance_unless_the_rule_has_changed() -> None:
    one = rule()
    assert progress.wait(one, NOW) == 0
    one.status.conditions = [progress.condition(one, progress.Seen(), 0, NOW)]
    assert progress.wait(one, NOW + 4) == 6
    assert progress.wait(one, NOW + 10) == 0
    one.metadata.generation = 2
    assert progress.wait(one, NOW + 4) == 0
