"""POST to `pods/binding` (and to `bindings`): the scheduler assigns a pod to a node.

The pod is written as upstream writes it here: below all that other updates pass, the books of managed fields included.
"""

from __future__ import annotations

from pybernetes.api import errors, fields, times
from pybernetes.api.types import core_v1, meta_v1
from pybernetes.apiserver import request as requests
from pybernetes.apiserver import results
from pybernetes.apiserver.endpoints import bodies, options, parts, update
from pybernetes.apiserver.endpoints import scope as scopes
from pybernetes.apiserver.storage import collection as collections


async def bind(scope: scopes.Scope, request: requests.Request) -> results.Result:
    """`scope` is that of pods."""
    binding: core_v1.Binding = bodies.decode(request, scope.kind.resource, core_v1.Binding)
    name = request.attributes.name or binding.metadata.name
    _check(binding, name)
    if not request.attributes.name:
        request.attributes = request.attributes._replace(name=name)
    binding = await parts.admitted(scope, request, binding)

    for _ in range(update.ATTEMPTS):
        item = scope.find(request.attributes.namespace, name)
        pod: core_v1.Pod = item.fresh(core_v1.Pod)
        _check_assignable(pod, binding)
        if not options.is_dry_run(request):
            _assign(pod, binding, times.to_time(scope.clock.time()))
            try:
                await scope.collection.replace(item, pod)
            except collections.Modified:
                continue
        return results.Made(meta_v1.Status(status="Success", code=201), 201)
    raise scope.modified(name)


def _check(binding: core_v1.Binding, name: str) -> None:
    path = fields.Path("target")
    problems = []
    if binding.target.kind not in ("", "Node"):
        problems.append(fields.not_supported(path["kind"], binding.target.kind, ("Node", "<empty>")))
    if not binding.target.name:
        problems.append(fields.required(path["name"]))
    if binding.metadata.name and binding.metadata.name != name:
        raise errors.bad_request("name in URL does not match name in Binding object")
    if problems:
        raise errors.invalid("", "Binding", name, problems)


def _check_assignable(pod: core_v1.Pod, binding: core_v1.Binding) -> None:
    name = pod.metadata.name
    if binding.metadata.uid and binding.metadata.uid != pod.metadata.uid:
        why = (
            f"Precondition failed: UID in precondition: {binding.metadata.uid}, UID in object meta: {pod.metadata.uid}"
        )
        raise errors.conflict("", "pods/binding", name, why)
    seen, revision = binding.metadata.resourceVersion, pod.metadata.resourceVersion
    if seen and seen != revision:
        why = (
            f"Precondition failed: ResourceVersion in precondition: {seen}, ResourceVersion in object meta: {revision}"
        )
        raise errors.conflict("", "pods/binding", name, why)
    if pod.metadata.deletionTimestamp is not None:
        raise errors.conflict("", "pods/binding", name, f"pod {name} is being deleted, cannot be assigned to a host")
    if pod.spec.nodeName:
        why = f'pod {name} is already assigned to node "{pod.spec.nodeName}"'
        raise errors.conflict("", "pods/binding", name, why)
    if pod.spec.schedulingGates:
        why = f"pod {name} has non-empty .spec.schedulingGates"
        raise errors.conflict("", "pods/binding", name, why)


def _assign(pod: core_v1.Pod, binding: core_v1.Binding, now: str) -> None:
    pod.spec.nodeName = binding.target.name
    pod.status.nominatedNodeName = ""
    pod.metadata.annotations.update(binding.metadata.annotations)
    pod.metadata.labels.update(binding.metadata.labels)
    scheduled = core_v1.PodCondition(type="PodScheduled", status="True", lastTransitionTime=now)
    for index, condition in enumerate(pod.status.conditions):
        if condition.type == scheduled.type:
            if condition.status == scheduled.status:
                scheduled.lastTransitionTime = condition.lastTransitionTime
            pod.status.conditions[index] = scheduled
            return
    pod.status.conditions.append(scheduled)
