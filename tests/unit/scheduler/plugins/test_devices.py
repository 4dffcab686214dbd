"""Pods that claim devices: which they get, and where."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pybernetes.api.types import core_v1, meta_v1, resource_v1, resource_v1beta2
from pybernetes.informers import cache, keys
from pybernetes.kits.chance import Chance
from pybernetes.scheduler import cycle, profiles, shape, worlds
from pybernetes.scheduler.devices import conditions
from pybernetes.scheduler.plugins import dynamic_resources, plugin
from tests.unit.scheduler.board import Board, Q, node, pod

PLUGINS = (cycle.Weighted(dynamic_resources.DynamicResources(), 2),)
DRIVER = "gpu.example.com"


class Shop(Board):
    def __init__(self, *members: core_v1.Node) -> None:
        kinds: tuple[type[Any], ...] = (
            resource_v1.ResourceClaim,
            resource_v1.ResourceSlice,
            resource_v1.DeviceClass,
            resource_v1beta2.DeviceTaintRule,
        )
        self.caches: dict[type[Any], cache.Writable[Any]] = {kind: cache.Writable() for kind in kinds}
        self.world = worlds.World(self.caches)
        super().__init__(*members, world=self.world)

    def put(self, *objects: Any) -> None:
        for obj in objects:
            self.caches[type(obj)].put(keys.key_of(obj), obj)

    def where(self, *claims: str) -> set[str]:
        return self.fits(using(*claims), PLUGINS)

    def says(self, *claims: str) -> str:
        misfit = self.decide(using(*claims), PLUGINS).misfit()
        return misfit.message or str(misfit.reasons)

    def allocate(self, name: str, on: str) -> resource_v1.AllocationResult:
        """Give devices to a claim, as if it had been written."""
        [reserved] = self.decide(using(name), PLUGINS).reserve(on)
        [(claim, allocation)] = reserved.plan.claims
        claim.status.allocation = allocation
        reserved.plugin.unreserve(reserved.plan, self.nodes)
        return allocation


def using(*claims: str) -> core_v1.Pod:
    return pod(resourceClaims=[core_v1.PodResourceClaim(name=one, resourceClaimName=one) for one in claims])


def device(name: str, *, model: str = "a", memory: str = "8Gi", **more: Any) -> resource_v1.Device:
    return resource_v1.Device(
        name=name,
        attributes={
            "model": resource_v1.DeviceAttribute(string=model),
            "other.example.com/version": resource_v1.DeviceAttribute(version="1.2.3"),
        },
        capacity={"memory": resource_v1.DeviceCapacity(value=Q(memory))},
        **more,
    )


def slice_of(node_name: str, *devices: resource_v1.Device, count: int = 1, generation: int = 1, **more: Any) -> Any:
    return resource_v1.ResourceSlice(
        metadata=meta_v1.ObjectMeta(name=f"{node_name}-{generation}-{len(devices)}"),
        spec=resource_v1.ResourceSliceSpec(
            driver=DRIVER,
            nodeName=node_name,
            pool=resource_v1.ResourcePool(name=node_name, generation=generation, resourceSliceCount=count),
            devices=list(devices),
            **more,
        ),
    )


def selector(expression: str) -> resource_v1.DeviceSelector:
    return resource_v1.DeviceSelector(cel=resource_v1.CELDeviceSelector(expression=expression))


def gpu_class() -> resource_v1.DeviceClass:
    spec = resource_v1.DeviceClassSpec(selectors=[selector(f'device.driver == "{DRIVER}"')])
    return resource_v1.DeviceClass(metadata=meta_v1.ObjectMeta(name="gpu"), spec=spec)


def exactly(count: int = 1, *expressions: str, **more: Any) -> resource_v1.DeviceRequest:
    asked = resource_v1.ExactDeviceRequest(
        deviceClassName="gpu",
        allocationMode=more.pop("allocationMode", "ExactCount"),
        count=count,
        selectors=[selector(expression) for expression in expressions],
        **more,
    )
    return resource_v1.DeviceRequest(name=more.pop("name", "r"), exactly=asked)


def claim(
    name: str, *requests: resource_v1.DeviceRequest, constraints: tuple[resource_v1.DeviceConstraint, ...] = ()
) -> resource_v1.ResourceClaim:
    devices = resource_v1.DeviceClaim(requests=list(requests), constraints=list(constraints))
    return resource_v1.ResourceClaim(
        metadata=meta_v1.ObjectMeta(name=name, namespace="default", uid=f"uid-{name}"),
        spec=resource_v1.ResourceClaimSpec(devices=devices),
    )


@pytest.fixture
def shop() -> Shop:
    made = Shop(node("n1"), node("n2"), node("n3"))
    made.put(gpu_class())
    made.put(slice_of("n1", device("g0"), device("g1", model="b", memory="80Gi")), slice_of("n2", device("g0")))
    return made


def test_claims_that_are_not_there_or_of_no_class(shop: Shop) -> None:
    assert shop.says("c") == 'resourceclaim.resource.k8s.io "c" not found'
    made = exactly()
    assert made.exactly is not None
    made.exactly.deviceClassName = "none"
    shop.put(claim("c", made))
    assert shop.says("c") == "request r: device class none does not exist"
    template = pod(resourceClaims=[core_v1.PodResourceClaim(name="t", resourceClaimTemplateName="x")])
    assert shop.decide(template, PLUGINS).misfit().message == 'pod "default/p": ResourceClaim not created yet'


@pytest.mark.parametrize(
    ("count", "expressions", "fits"),
    [
        (1, (), {"n1", "n2"}),
        (2, (), {"n1"}),
        (3, (), set()),
        (1, (f'device.attributes["{DRIVER}"].model == "b"',), {"n1"}),
        (1, (f'device.capacity["{DRIVER}"].memory.compareTo(quantity("10Gi")) >= 0',), {"n1"}),
        (1, ('device.attributes["other.example.com"].version.isGreaterThan(semver("1.2.0"))',), {"n1", "n2"}),
        (1, ('"x" in device.attributes["nowhere.example.com"]',), set()),
        (1, ('device.driver == "other"',), set()),
    ],
)
def test_devices_are_found_by_number_and_expression(
    shop: Shop, count: int, expressions: tuple[str, ...], fits: set[str]
) -> None:
    shop.put(claim("c", exactly(count, *expressions)))
    assert shop.where("c") == fits
    if not fits:
        assert shop.says("c") == "{'cannot allocate all claims': 3}"


def test_devices_in_use_are_not_given_away(shop: Shop) -> None:
    shop.put(claim("a", exactly()), claim("b", exactly()))
    allocation = shop.allocate("a", "n2")
    assert [(one.device, one.pool, one.request) for one in allocation.devices.results] == [("g0", "n2", "r")]
    assert allocation.nodeSelector is not None
    assert shop.where("b") == {"n1"}
    # Who has devices goes where they are.
    assert shop.where("a") == {"n2"}
    assert shop.says("a") == "{'resourceclaim not available on the node': 2}"
    assert shop.where("a", "b") == set()


def test_what_is_being_given_is_not_given_twice(shop: Shop) -> None:
    shop.put(claim("a", exactly()), claim("b", exactly()))
    [reserved] = shop.decide(using("a"), PLUGINS).reserve("n2")
    assert shop.where("b") == {"n1"}
    assert shop.says("a") == "resource claim default/a is in the process of being allocated"
    reserved.plugin.unreserve(reserved.plan, shop.nodes)
    assert shop.where("b") == {"n1", "n2"}


def test_constraints_bind_devices_together(shop: Shop) -> None:
    same = resource_v1.DeviceConstraint(matchAttribute=f"{DRIVER}/model")
    shop.put(claim("c", exactly(2), constraints=(same,)))
    assert shop.where("c") == set()
    different = resource_v1.DeviceConstraint(distinctAttribute=f"{DRIVER}/model")
    shop.put(claim("c", exactly(2), constraints=(different,)))
    assert shop.where("c") == {"n1"}


def test_all_means_every_one_that_matches(shop: Shop) -> None:
    shop.put(claim("c", exactly(0, allocationMode="All")), claim("one", exactly()))
    assert shop.where("c") == {"n1", "n2"}
    shop.allocate("one", "n1")
    assert shop.where("c") == {"n2"}


def test_the_first_alternative_that_can_be_had(shop: Shop) -> None:
    def option(name: str, model: str) -> resource_v1.DeviceSubRequest:
        wanted = selector(f'device.attributes["{DRIVER}"].model == "{model}"')
        return resource_v1.DeviceSubRequest(
            name=name, deviceClassName="gpu", allocationMode="ExactCount", count=1, selectors=[wanted]
        )

    shop.put(claim("c", resource_v1.DeviceRequest(name="r", firstAvailable=[option("big", "b"), option("any", "a")])))
    assert shop.where("c") == {"n1", "n2"}
    assert [one.request for one in shop.allocate("c", "n1").devices.results] == ["r/big"]
    shop.put(claim("d", resource_v1.DeviceRequest(name="r", firstAvailable=[option("big", "b"), option("any", "a")])))
    assert [one.request for one in shop.allocate("d", "n2").devices.results] == ["r/any"]


def test_taints_of_devices_must_be_tolerated(shop: Shop) -> None:
    taint = resource_v1.DeviceTaint(key="k", effect="NoSchedule")
    shop.put(slice_of("n3", device("g0", taints=[taint])))
    shop.put(claim("c", exactly()))
    assert shop.where("c") == {"n1", "n2"}
    shop.put(claim("c", exactly(tolerations=[resource_v1.DeviceToleration(key="k", operator="Exists")])))
    assert shop.where("c") == {"n1", "n2", "n3"}


@pytest.mark.parametrize(
    ("selector", "left"),
    [
        (None, set()),
        ({}, set()),
        ({"driver": DRIVER}, set()),
        ({"driver": "other.example.com"}, {"n1", "n2"}),
        ({"pool": "n1"}, {"n2"}),
        ({"pool": "n1", "device": "nothing"}, {"n1", "n2"}),
    ],
)
def test_taints_of_rules_are_like_those_of_devices(shop: Shop, selector: dict[str, str] | None, left: set[str]) -> None:
    rule = resource_v1beta2.DeviceTaintRule(metadata=meta_v1.ObjectMeta(name="r"))
    rule.spec.taint = resource_v1beta2.DeviceTaint(key="k", effect="NoSchedule")
    rule.spec.deviceSelector = resource_v1beta2.DeviceTaintSelector(**selector) if selector is not None else None
    shop.put(rule, claim("c", exactly()))
    assert shop.where("c") == left
    shop.put(claim("c", exactly(tolerations=[resource_v1.DeviceToleration(key="k", operator="Exists")])))
    assert shop.where("c") == {"n1", "n2"}


def test_devices_that_share_counters(shop: Shop) -> None:
    def part(name: str) -> resource_v1.Device:
        used = resource_v1.DeviceCounterConsumption(
            counterSet="s", counters={"memory": resource_v1.Counter(value=Q("30Gi"))}
        )
        return device(name, consumesCounters=[used])

    shared = resource_v1.CounterSet(name="s", counters={"memory": resource_v1.Counter(value=Q("70Gi"))})
    parts = (part("p0"), part("p1"), part("p2"))
    shop.put(slice_of("n3", *parts, count=2), slice_of("n3", count=2, sharedCounters=[shared]))
    shop.put(claim("three", exactly(3)), claim("two", exactly(2)))
    assert shop.where("three") == set()
    assert shop.where("two") == {"n1", "n3"}


def test_incomplete_and_old_pools_do_not_count(shop: Shop) -> None:
    shop.put(claim("c", exactly()))
    shop.put(slice_of("n3", device("g0"), count=2))
    assert shop.where("c") == {"n1", "n2"}
    shop.put(slice_of("n2", generation=2))
    assert shop.where("c") == {"n1"}


def test_devices_for_several_nodes(shop: Shop) -> None:
    made = slice_of("n3", device("shared"))
    requirement = core_v1.NodeSelectorRequirement(key="kubernetes.io/hostname", operator="In", values=["n2", "n3"])
    made.spec.nodeName = None
    made.spec.nodeSelector = core_v1.NodeSelector(
        nodeSelectorTerms=[core_v1.NodeSelectorTerm(matchExpressions=[requirement])]
    )
    shop.put(made, claim("c", exactly()))
    assert shop.where("c") == {"n1", "n2", "n3"}
    allocation = shop.allocate("c", "n3")
    assert allocation.nodeSelector == made.spec.nodeSelector
    assert shop.where("c") == {"n2", "n3"}


def shared(name: str, memory: str = "8Gi", **policy: Any) -> resource_v1.Device:
    held = resource_v1.DeviceCapacity(value=Q(memory), requestPolicy=resource_v1.CapacityRequestPolicy(**policy))
    return resource_v1.Device(name=name, allowMultipleAllocations=True, capacity={"memory": held})


def part(memory: str) -> resource_v1.DeviceRequest:
    return exactly(capacity=resource_v1.CapacityRequirements(requests={"memory": Q(memory)}))


def test_a_device_is_shared_as_long_as_its_capacity_lasts() -> None:
    shop = Shop(node("n1"))
    step = resource_v1.CapacityRequestPolicyRange(min=Q("1Gi"), step=Q("2Gi"))
    shop.put(gpu_class(), slice_of("n1", shared("g0", default=Q("1Gi"), validRange=step)))
    shop.put(claim("a", part("4Gi")), claim("b", part("4Gi")), claim("c", exactly()), claim("d", part("9Gi")))
    [result] = shop.allocate("a", "n1").devices.results
    assert result.consumedCapacity == {"memory": "5Gi"}
    assert result.shareID is not None
    assert shop.where("b") == set()
    assert shop.where("d") == set()
    [result] = shop.allocate("c", "n1").devices.results
    assert result.consumedCapacity == {"memory": "1Gi"}


def test_admin_access_takes_nothing() -> None:
    shop = Shop(node("n1"))
    shop.put(gpu_class(), slice_of("n1", device("g0")))
    shop.put(claim("a", exactly()), claim("admin", exactly(adminAccess=True)), claim("b", exactly()))
    shop.allocate("a", "n1")
    assert shop.where("b") == set()
    [result] = shop.allocate("admin", "n1").devices.results
    assert result.adminAccess


def test_devices_that_did_not_become_ready_keep_the_pod_off() -> None:
    shop = Shop(node("n1"), node("n2"))
    conditioned = device("g0", bindingConditions=["Attached"], bindingFailureConditions=["Broken"])
    shop.put(gpu_class(), slice_of("n1", conditioned), claim("c", exactly()))
    made = shop.allocate("c", "n1")
    assert made.devices.results[0].bindingConditions == ["Attached"]
    assert shop.where("c") == {"n1"}
    held = shop.caches[resource_v1.ResourceClaim].get("c", "default")
    broken = meta_v1.Condition(type="Broken", status="True", reason="Fire", message="it burns")
    told = resource_v1.AllocatedDeviceStatus(driver=DRIVER, pool="n1", device="g0", conditions=[broken])
    held.status.devices = [told]
    assert shop.where("c") == set()
    assert shop.says("c") == "{'resourceclaim not available on the node': 2}"
    with pytest.raises(conditions.Failed, match='device binding failed: claim=c, reason=Fire, message="it burns"'):
        conditions.ready(held)


def test_errors_of_expressions_say_where_they_are(shop: Shop) -> None:
    shop.put(claim("c", exactly(1, 'device.attributes["o.example.com"].x == 1')))
    with pytest.raises(plugin.Failed) as caught:
        shop.where("c")
    prefix = 'running "DynamicResources" filter plugin: claim default/c: selector #0: CEL runtime error: '
    assert str(caught.value) == prefix + "no such key: x"


def test_the_earlier_alternative_is_better(shop: Shop) -> None:
    def option(name: str, model: str) -> resource_v1.DeviceSubRequest:
        wanted = selector(f'device.attributes["{DRIVER}"].model == "{model}"')
        return resource_v1.DeviceSubRequest(
            name=name, deviceClassName="gpu", allocationMode="ExactCount", count=1, selectors=[wanted]
        )

    shop.put(claim("c", resource_v1.DeviceRequest(name="r", firstAvailable=[option("big", "b"), option("any", "a")])))
    assert shop.decide(using("c"), PLUGINS).place() == "n1"


def test_extended_resources_are_claimed_where_no_device_plugin_has_them() -> None:
    shop = Shop(node("n1"), node("n2", more={"example.com/gpu": "2"}), node("n3"))
    kind = gpu_class()
    kind.spec.extendedResourceName = "example.com/gpu"
    shop.put(kind, slice_of("n1", device("g0"), device("g1")))
    asking = pod(more={"example.com/gpu": "2", "cpu": "1"})
    assert shop.world.backed_by_devices(shape.of(asking))
    own = shape.alone(shape.of(asking), asking)
    decision = cycle.Cycle(own, shop.nodes, profiles.default().plugins, Chance(1))
    fits = decision.feasible()
    assert {name for name, row in shop.nodes.rows.items() if fits[row]} == {"n1", "n2"}
    [reserved] = decision.reserve("n1")
    [(made, allocation)] = reserved.plan.claims
    assert made.metadata.generateName == "p-extended-resources-"
    assert [one.device for one in allocation.devices.results] == ["g0", "g1"]
    [mapping] = reserved.plan.extra.mappings
    assert (mapping.containerName, mapping.resourceName) == ("c", "example.com/gpu")
    assert mapping.requestName == "container-0-request-1"
    assert decision.reserve("n2") == []


@given(
    devices=st.lists(st.sampled_from(["whole", "shared"]), min_size=1, max_size=5),
    wanted=st.lists(st.tuples(st.integers(1, 3), st.integers(1, 5)), max_size=8),
    freed=st.sets(st.integers(0, 7)),
)
@settings(deadline=None)
def test_no_device_is_given_twice_nor_beyond_its_capacity(
    devices: list[str], wanted: list[tuple[int, int]], freed: set[int]
) -> None:
    shop = Shop(node("n1"))
    made = [shared(f"g{at}") if how == "shared" else device(f"g{at}") for at, how in enumerate(devices)]
    shop.put(gpu_class(), slice_of("n1", *made))
    held: list[resource_v1.ResourceClaim] = []
    for at, (count, memory) in enumerate(wanted):
        asked = resource_v1.CapacityRequirements(requests={"memory": Q(f"{memory}Gi")})
        one = claim(f"c{at}", exactly(count, capacity=asked))
        shop.put(one)
        if shop.where(f"c{at}"):
            shop.allocate(f"c{at}", "n1")
            held.append(one)
        if at in freed and held:
            held.pop(0).status.allocation = None
        used: dict[str, list[int]] = {}
        for other in held:
            assert other.status.allocation is not None
            for result in other.status.allocation.devices.results:
                taken = result.consumedCapacity.get("memory")
                used.setdefault(result.device, []).append(taken.as_int() if taken is not None else 0)
        for name, parts in used.items():
            if devices[int(name[1:])] == "whole":
                assert len(parts) == 1
            else:
                assert sum(parts) <= 8 * 2**30
