"""What is written into a claim that has been given devices."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pybernetes.api.types import core_v1, resource_v1
from pybernetes.scheduler.devices import capacity, constraints, requests

# Stands for the identity of a share until the allocation is written.
UNNAMED = ""


def of(claim: requests.Claim, given: Sequence[constraints.Given], node: str) -> resource_v1.AllocationResult:
    """The allocation of devices on a node. Shares are `UNNAMED` still."""
    results = []
    for request, item in given:
        driver, pool, device = item.key
        results.append(
            resource_v1.DeviceRequestAllocationResult(
                request=request.full_name,
                driver=driver,
                pool=pool,
                device=device,
                adminAccess=request.admin or None,
                tolerations=list(request.tolerations),
                shareID=UNNAMED if item.shared else None,
                consumedCapacity=capacity.consumed(request.capacity, item.device) if item.shared else {},
                bindingConditions=list(item.device.bindingConditions),
                bindingFailureConditions=list(item.device.bindingFailureConditions),
            )
        )
    return resource_v1.AllocationResult(
        devices=resource_v1.DeviceAllocationResult(results=results, config=_config(claim, given)),
        nodeSelector=node_selector(given, node),
    )


def _config(
    claim: requests.Claim, given: Iterable[constraints.Given]
) -> list[resource_v1.DeviceAllocationConfiguration]:
    """The classes' configuration, each class once for all its requests, then the claim's own."""
    chosen = {one.request.full_name: one.request for one in given}
    by_class: dict[str, list[requests.Request]] = {}
    for request in chosen.values():
        by_class.setdefault(request.kind.metadata.name, []).append(request)
    found = [
        resource_v1.DeviceAllocationConfiguration(
            source="FromClass", requests=[one.full_name for one in served], opaque=config.opaque
        )
        for served in by_class.values()
        for config in served[0].kind.spec.config
    ]
    asked = [request.name for request in claim.claim.spec.devices.requests]
    alternatives = [name for name, request in chosen.items() if request.parent]
    for own in claim.claim.spec.devices.config:
        # Once for every request that it is about; without any it is about all of them.
        times = sum(name in own.requests for name in (*asked, *alternatives)) if own.requests else 1
        found += [
            resource_v1.DeviceAllocationConfiguration(
                source="FromClaim", requests=list(own.requests), opaque=own.opaque
            )
        ] * times
    return found


def node_selector(given: Sequence[constraints.Given], node: str) -> core_v1.NodeSelector | None:
    """Where the devices can be used together; None: everywhere."""
    fields: list[core_v1.NodeSelectorRequirement] = []
    expressions: list[core_v1.NodeSelectorRequirement] = []
    for one in given:
        if one.item.node or one.item.device.bindsToNode:
            named = core_v1.NodeSelectorRequirement(key="metadata.name", operator="In", values=[node])
            return core_v1.NodeSelector(nodeSelectorTerms=[core_v1.NodeSelectorTerm(matchFields=[named])])
        for term in one.item.selector.nodeSelectorTerms if one.item.selector is not None else ():
            fields += [requirement for requirement in term.matchFields if requirement not in fields]
            expressions += [requirement for requirement in term.matchExpressions if requirement not in expressions]
    if not fields and not expressions:
        return None
    return core_v1.NodeSelector(
        nodeSelectorTerms=[core_v1.NodeSelectorTerm(matchFields=fields, matchExpressions=expressions)]
    )
