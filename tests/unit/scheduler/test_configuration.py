"""Configuration files: what is read, what is refused and how, and the profiles that come of it."""

from __future__ import annotations

import importlib.metadata
from typing import Any

import pytest

from pybernetes.api.types import core_v1
from pybernetes.scheduler import configuration, profiles, registry
from pybernetes.scheduler import shape as shapes
from pybernetes.scheduler.plugins import plugin
from tests.unit.scheduler.board import Board, node, pod

HEAD = "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n"
KNOWN = registry.Registry()


def read(text: str, known: registry.Registry = KNOWN) -> configuration.Configuration:
    return configuration.read((HEAD + text).encode(), known)


def profile(text: str, known: registry.Registry = KNOWN) -> profiles.Profile:
    return profiles.build(read(text, known).profiles[0], known)


def refused(text: str) -> str:
    with pytest.raises(configuration.ConfigurationError) as caught:
        read(text)
    return str(caught.value)


def scores(found: profiles.Profile) -> dict[str, int]:
    return {used.plugin.name: used.weight for used in found.plugins if used.scores}


def filters(found: profiles.Profile) -> list[str]:
    return [used.plugin.name for used in found.plugins if used.filters]


DEFAULT_SCORES = {
    "TaintToleration": 3,
    "NodeAffinity": 2,
    "NodeResourcesFit": 1,
    "PodTopologySpread": 2,
    "InterPodAffinity": 2,
    "NodeResourcesBalancedAllocation": 1,
    "ImageLocality": 1,
}


def test_an_empty_file_means_the_defaults() -> None:
    found = read("")
    assert [one.schedulerName for one in found.profiles] == ["default-scheduler"]
    assert (found.podInitialBackoffSeconds, found.podMaxBackoffSeconds) == (1, 10)
    built = profile("")
    assert {name: weight for name, weight in scores(built).items() if name in DEFAULT_SCORES} == DEFAULT_SCORES
    assert filters(built)[:5] == ["NodeUnschedulable", "NodeName", "TaintToleration", "NodeAffinity", "NodePorts"]
    assert built.preemption is not None


def test_plugins_are_switched_off_and_weighed_by_point_or_everywhere() -> None:
    built = profile(
        "profiles:\n- plugins:\n"
        "    score: {disabled: [{name: ImageLocality}], enabled: [{name: NodeAffinity, weight: 7}]}\n"
        "    filter: {disabled: [{name: NodePorts}]}\n"
        "    multiPoint: {enabled: [{name: TaintToleration, weight: 9}], disabled: [{name: InterPodAffinity}]}\n"
        "    postFilter: {disabled: [{name: '*'}]}\n"
    )
    assert scores(built)["NodeAffinity"] == 7
    assert scores(built)["TaintToleration"] == 9
    assert "ImageLocality" not in scores(built)
    assert "InterPodAffinity" not in {*scores(built), *filters(built)}
    assert "NodePorts" not in filters(built)
    assert built.post_filter == ()


def test_all_but_what_is_named() -> None:
    built = profile(
        "profiles:\n- plugins:\n"
        "    multiPoint: {enabled: [{name: NodeName}, {name: NodeResourcesFit}, {name: PrioritySort}, "
        "{name: DefaultBinder}], disabled: [{name: '*'}]}\n"
    )
    assert filters(built) == ["NodeName", "NodeResourcesFit"]
    assert scores(built) == {"NodeResourcesFit": 1}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("podInitialBackoff: 3\n", 'strict decoding error: unknown field "podInitialBackoff"'),
        (
            "profiles:\n- pluginConfig:\n  - name: InterPodAffinity\n    args: {hardWeight: 3}\n",
            (
                "decoding .profiles[0].pluginConfig[0]: decoding args for plugin InterPodAffinity: "
                'strict decoding error: unknown field "hardWeight"'
            ),
        ),
        (
            "profiles:\n- pluginConfig:\n  - name: NodeAffinity\n    args: {kind: NodeResourcesFitArgs}\n",
            (
                "decoding .profiles[0].pluginConfig[0]: args for plugin NodeAffinity were not of type "
                "NodeAffinityArgs.kubescheduler.config.k8s.io, got NodeResourcesFitArgs.kubescheduler.config.k8s.io"
            ),
        ),
        ("podInitialBackoffSeconds: 0\n", "podInitialBackoffSeconds: Invalid value: 0: must be greater than 0"),
        (
            "podInitialBackoffSeconds: 5\npodMaxBackoffSeconds: 2\n",
            "podMaxBackoffSeconds: Invalid value: 2: must be greater than or equal to PodInitialBackoffSeconds",
        ),
        (
            "percentageOfNodesToScore: 101\n",
            "percentageOfNodesToScore: Invalid value: 101: not in valid range [0-100]",
        ),
        (
            "profiles: [{schedulerName: a}, {schedulerName: a}]\n",
            'profiles[1].schedulerName: Duplicate value: "profiles[0].schedulerName"',
        ),
        (
            "profiles: [{schedulerName: a}, {}]\n",
            "profiles[1].schedulerName: Required value",
        ),
        (
            "profiles:\n- pluginConfig:\n  - name: InterPodAffinity\n    args: {hardPodAffinityWeight: 101}\n",
            "profiles[0].pluginConfig[0].args.hardPodAffinityWeight: Invalid value: 101: not in valid range [0, 100]",
        ),
        (
            (
                "profiles:\n- pluginConfig:\n  - name: NodeResourcesFit\n    args:\n"
                "      scoringStrategy: {type: RequestedToCapacityRatio}\n"
            ),
            (
                "profiles[0].pluginConfig[0].args.scoringStrategy.requestedToCapacityRatio: Required value: "
                "must be specified when type is RequestedToCapacityRatio"
            ),
        ),
        (
            "extenders: [{urlPrefix: http://a, prioritizeVerb: p}]\n",
            "extenders[0].weight: Invalid value: 0: must have a positive weight applied to it",
        ),
    ],
)
def test_refusals_in_upstreams_words(text: str, message: str) -> None:
    assert refused(text) == message


def test_other_kinds_and_unknown_plugins_are_refused() -> None:
    with pytest.raises(configuration.ConfigurationError, match='no kind "Pod" is registered for version "v1"'):
        configuration.read(b"apiVersion: v1\nkind: Pod\n", KNOWN)
    for point, text in (("score", 'ScorePlugin "Foo" does not exist'), ("multiPoint", 'plugin "Foo" does not exist')):
        with pytest.raises(configuration.ConfigurationError, match=text):
            profile(f"profiles:\n- plugins:\n    {point}: {{enabled: [{{name: Foo}}]}}\n")


def strategy(text: str) -> profiles.Profile:
    return profile(
        "profiles:\n- plugins:\n"
        "    multiPoint: {enabled: [{name: NodeResourcesFit}, {name: PrioritySort}, {name: DefaultBinder}], "
        "disabled: [{name: '*'}]}\n"
        f"  pluginConfig:\n  - name: NodeResourcesFit\n    args:\n      scoringStrategy: {text}\n"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{type: LeastAllocated}", {"n1": 40, "n2": 60}),
        ("{type: MostAllocated}", {"n1": 60, "n2": 40}),
        ("{type: LeastAllocated, resources: [{name: cpu, weight: 3}, {name: memory}]}", {"n1": 45, "n2": 55}),
        (
            (
                "{type: RequestedToCapacityRatio, requestedToCapacityRatio: "
                "{shape: [{utilization: 0, score: 0}, {utilization: 100, score: 10}]}}"
            ),
            {"n1": 60, "n2": 40},
        ),
        (
            (
                "{type: RequestedToCapacityRatio, resources: [{name: example.com/gpu, weight: 2}], "
                "requestedToCapacityRatio: {shape: [{utilization: 0, score: 10}, {utilization: 50, score: 0}]}}"
            ),
            {"n1": 50, "n2": 0},
        ),
    ],
)
def test_nodes_are_compared_as_configured(text: str, expected: dict[str, int]) -> None:
    board = Board(
        node("n1", cpu="4", memory="10Gi", more={"example.com/gpu": "4"}),
        node("n2", cpu="4", memory="10Gi", more={"example.com/gpu": "1"}),
    )
    board.add(pod("1", "4Gi"), "n1")
    board.nodes.counted[board.nodes.rows["n2"]] = (1000, 0)
    decision = board.decide(pod("1", "3Gi", more={"example.com/gpu": "1"}), strategy(text).plugins)
    totals = decision.totals(decision.feasible())
    assert {name: int(totals[row]) for name, row in board.nodes.rows.items()} == expected


def test_ignored_resources_are_left_to_others() -> None:
    built = profile(
        "profiles:\n- pluginConfig:\n  - name: NodeResourcesFit\n"
        "    args: {ignoredResources: [example.com/a], ignoredResourceGroups: [example.org]}\n"
    )
    board = Board(node("n1"))
    assert board.fits(pod(more={"example.com/a": "1", "example.org/b": "1"}), built.plugins) == {"n1"}
    assert board.fits(pod(more={"example.com/c": "1"}), built.plugins) == set()


def test_affinity_may_be_added_for_a_whole_profile() -> None:
    built = profile(
        "profiles:\n- pluginConfig:\n  - name: NodeAffinity\n    args:\n      addedAffinity:\n"
        "        requiredDuringSchedulingIgnoredDuringExecution:\n          nodeSelectorTerms:\n"
        "          - matchExpressions: [{key: disk, operator: In, values: [ssd]}]\n"
    )
    board = Board(node("n1", disk="ssd"), node("n2"))
    decision = board.decide(pod(), built.plugins)
    assert decision.place() == "n1"
    assert board.decide(pod(nodeSelector={"disk": "none"}), built.plugins).misfit().reasons == {
        "node(s) didn't match Pod's node affinity/selector": 1,
        "node(s) didn't match scheduler-enforced node affinity": 1,
    }


class Quiet(plugin.NodeByNode):
    name = "Quiet"
    weight = 5

    def fits(self, shape: shapes.Shape, node: core_v1.Node) -> str | None:
        return "node(s) were too loud" if node.metadata.labels.get("loud") == "yes" else None

    def rate(self, shape: shapes.Shape, node: core_v1.Node) -> int:
        return 100 if node.metadata.labels.get("loud") == "never" else 0


class Entry:
    def __init__(self, name: str, what: Any) -> None:
        self.name, self._what = name, what

    def load(self) -> Any:
        if isinstance(self._what, Exception):
            raise self._what
        return self._what


def test_plugins_of_other_packages_are_found_by_entry_point(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    found = [Entry("Quiet", Quiet), Entry("Broken", ImportError("no")), Entry("Wrong", 3)]
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: found if group == registry.GROUP else [])
    # As in a process that has just started.
    known = registry.load.__wrapped__()
    assert list(known.others) == ["Quiet"]
    assert "Broken cannot be loaded" in caplog.text
    assert "Wrong is not a plugin.Plugin class" in caplog.text
    built = profile("", known)
    assert scores(built)["Quiet"] == 5
    board = Board(node("n1", loud="yes"), node("n2"), node("n3", loud="never"))
    decision = board.decide(pod(), built.plugins)
    assert decision.place() == "n3"
    assert board.fits(pod(), built.plugins) == {"n2", "n3"}
    loud = Board(node("n1", loud="yes"))
    assert loud.decide(pod(), built.plugins).misfit().reasons == {"node(s) were too loud": 1}
    off = profile("profiles:\n- plugins:\n    multiPoint: {disabled: [{name: Quiet}]}\n", known)
    assert "Quiet" not in {*scores(off), *filters(off)}


class ByName(plugin.Plugin):
    name = "ByName"

    def order(self, pod: core_v1.Pod, since: float) -> str:
        return pod.metadata.name


class Binding(plugin.Plugin):
    name = "Binding"

    async def bind(self, pod: core_v1.Pod, node: str, desk: plugin.Desk) -> bool:
        return False


WITH_OTHERS = registry.Registry([ByName, Binding])
SORTED = "plugins: {queueSort: {enabled: [{name: ByName}], disabled: [{name: PrioritySort}]}}"
EVERYWHERE = "plugins: {multiPoint: {enabled: [{name: ByName}], disabled: [{name: PrioritySort}]}}"


def built(text: str) -> dict[str, profiles.Profile]:
    return profiles.build_all(read(f"profiles: [{text}]\n", WITH_OTHERS).profiles, WITH_OTHERS)


def binders(text: str) -> list[str]:
    return [one.name for one in built(text)["default-scheduler"].bind]


def test_one_plugin_sorts_and_another_packages_must_be_asked_for() -> None:
    assert built("{}")["default-scheduler"].queue_sort.name == "PrioritySort"
    assert built(f"{{{SORTED}}}")["default-scheduler"].queue_sort.name == "ByName"


def test_plugins_bind_in_the_order_of_the_configuration() -> None:
    assert binders("{}") == ["Binding", "DefaultBinder"]
    assert binders("{plugins: {bind: {disabled: [{name: Binding}]}}}") == ["DefaultBinder"]
    assert binders("{plugins: {bind: {enabled: [{name: DefaultBinder}, {name: Binding}]}}}") == [
        "DefaultBinder",
        "Binding",
    ]


WHICH = "initializing profiles: creating profile for scheduler name default-scheduler: "
ONE = 'only one queue sort plugin required for profile with scheduler name "default-scheduler", but got'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{plugins: {queueSort: {disabled: [{name: '*'}]}}}", f"{WHICH}{ONE} 0"),
        ("{plugins: {queueSort: {enabled: [{name: ByName}]}}}", f"{WHICH}{ONE} 2"),
        (
            "{plugins: {bind: {disabled: [{name: '*'}]}}}",
            f'{WHICH}at least one bind plugin is needed for profile with scheduler name "default-scheduler"',
        ),
        (
            "{plugins: {preEnqueue: {enabled: [{name: NodeName}]}}}",
            f'{WHICH}plugin "NodeName" does not extend PreEnqueuePlugin plugin',
        ),
        (
            f"{{schedulerName: a}}, {{schedulerName: b, {EVERYWHERE}}}",
            'initializing profiles: different queue sort plugins for profile "b": "ByName", first: "PrioritySort"',
        ),
    ],
)
def test_points_that_cannot_be_empty_or_shared(text: str, message: str) -> None:
    with pytest.raises(configuration.ConfigurationError) as caught:
        built(text)
    assert str(caught.value) == message
