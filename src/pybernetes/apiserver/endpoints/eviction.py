"""POST to `pods/eviction`: a deletion that respects disruption budgets."""

from __future__ import annotations

from typing import Any

from pybernetes.api import errors, selectors, times
from pybernetes.api.types import core_v1, meta_v1, policy_v1
from pybernetes.apiserver import request as requests
from pybernetes.apiserver import results
from pybernetes.apiserver.endpoints import bodies, delete, parts
from pybernetes.apiserver.endpoints import options as choices
from pybernetes.apiserver.endpoints import scope as scopes
from pybernetes.apiserver.storage import collection as collections
from pybernetes.apiserver.storage import selection

ATTEMPTS = 10
TARGET = "DisruptionTarget"
TOO_MANY_BUDGETS = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."


class Evictions:
    """`budgets` is where PodDisruptionBudgets are stored."""

    def __init__(self, budgets: collections.Collection) -> None:
        self._budgets = budgets

    async def evict(self, scope: scopes.Scope, request: requests.Request) -> results.Result:
        """Answers 201, or 429 while a budget does not allow it."""
        eviction: policy_v1.Eviction = bodies.decode(request, scope.kind.resource, policy_v1.Eviction)
        name, namespace = request.attributes.name, request.attributes.namespace
        if eviction.metadata.name and eviction.metadata.name != name:
            raise errors.bad_request("name in URL does not match name in Eviction object")
        options = eviction.deleteOptions or meta_v1.DeleteOptions()
        asked = [request.query["dryRun"]] if request.query.get("dryRun") else []
        if asked and options.dryRun and asked != options.dryRun:
            raise errors.bad_request(
                f"Non-matching dry-run options in request and content: {asked} and {options.dryRun}"
            )
        if options.dryRun:
            request.query.setdefault("dryRun", options.dryRun[0])
        pod: core_v1.Pod = scope.find(namespace, name).decoded(core_v1.Pod)
        eviction = await parts.admitted(scope, request, eviction)
        if not choices.is_dry_run(request) and not _may_go_at_once(pod):
            await self._take_disruption(scope, pod)
        if not choices.is_dry_run(request):
            await _mark(scope, namespace, name)
        await delete.delete_item(scope, request, namespace, name, options, admitted=True)
        return results.Made(meta_v1.Status(status="Success", code=201), 201)

    async def _take_disruption(self, scope: scopes.Scope, pod: core_v1.Pod) -> None:
        for _ in range(ATTEMPTS):
            matching = self._matching(pod)
            if not matching:
                return
            if len(matching) > 1:
                raise errors.internal(TOO_MANY_BUDGETS)
            item = matching[0]
            budget: policy_v1.PodDisruptionBudget = item.fresh(policy_v1.PodDisruptionBudget)
            if not _is_ready(pod) and _unready_may_go(budget):
                return
            if budget.status.observedGeneration < budget.metadata.generation:
                raise _refused(
                    f"The disruption budget {budget.metadata.name} is still being processed by the server.",
                    retry_after=10,
                )
            if budget.status.disruptionsAllowed <= 0:
                raise _refused(_why_not(budget))
            budget.status.disruptionsAllowed -= 1
            budget.status.disruptedPods[pod.metadata.name] = times.to_time(scope.clock.time())
            try:
                await self._budgets.replace(item, budget)
            except collections.Modified:
                continue
            return
        raise _refused("the disruption budget is changing too quickly", retry_after=1)

    def _matching(self, pod: core_v1.Pod) -> list[Any]:
        found = []
        for item in self._budgets.select(selection.Selection(pod.metadata.namespace)).items:
            budget = item.decoded(policy_v1.PodDisruptionBudget)
            if selectors.from_object(budget.spec.selector).matches(pod.metadata.labels):
                found.append(item)
        return found


async def _mark(scope: scopes.Scope, namespace: str, name: str) -> None:
    """Note on the pod why it ends, for whoever looks at it while it does."""
    for _ in range(ATTEMPTS):
        item = scope.find(namespace, name)
        pod: core_v1.Pod = item.fresh(core_v1.Pod)
        kept = [one for one in pod.status.conditions if one.type != TARGET]
        if len(kept) < len(pod.status.conditions) and pod.metadata.deletionTimestamp is not None:
            return
        now = times.to_time(scope.clock.time())
        pod.status.conditions = [
            *kept,
            core_v1.PodCondition(
                type=TARGET,
                status="True",
                reason="EvictionByEvictionAPI",
                message="Eviction API: evicting",
                lastTransitionTime=now,
                observedGeneration=pod.metadata.generation,
            ),
        ]
        try:
            await scope.collection.replace(item, pod)
        except collections.Modified:
            continue
        return


def _why_not(budget: policy_v1.PodDisruptionBudget) -> str:
    status, name = budget.status, budget.metadata.name
    found = next((one for one in status.conditions if one.type == "DisruptionAllowed"), None)
    said = found.message if found is not None and found.status == "False" else ""
    if found is not None and said and found.reason == "SyncFailed":
        return f"The disruption budget {name} does not allow evicting pods currently because it failed sync: {said}"
    if status.currentHealthy <= status.desiredHealthy:
        needs, has = status.desiredHealthy, status.currentHealthy
        return f"The disruption budget {name} needs {needs} healthy pods and has {has} currently"
    if found is not None and said:
        return f"The disruption budget {name} does not allow evicting pods currently ({found.reason}): {said}"
    return f"The disruption budget {name} does not allow evicting pods currently"


def _refused(why: str, retry_after: int = 0) -> errors.StatusError:
    message = "Cannot evict pod as it would violate the pod's disruption budget."
    refused = errors.too_many_requests(message, retry_after)
    details = refused.status.details or meta_v1.StatusDetails()
    details.causes.append(meta_v1.StatusCause(reason="DisruptionBudget", message=why))
    refused.status.details = details
    return refused


def _may_go_at_once(pod: core_v1.Pod) -> bool:
    return pod.status.phase in ("Pending", "Succeeded", "Failed") or pod.metadata.deletionTimestamp is not None


def _is_ready(pod: core_v1.Pod) -> bool:
    return any(condition.type == "Ready" and condition.status == "True" for condition in pod.status.conditions)


def _unready_may_go(budget: policy_v1.PodDisruptionBudget) -> bool:
    if budget.spec.unhealthyPodEvictionPolicy == "AlwaysAllow":
        return True
    return budget.status.currentHealthy >= budget.status.desiredHealthy and budget.status.desiredHealthy > 0
