"""DELETE of one object: grace, finalizers, propagation, preconditions; and of all that a selection holds."""

from __future__ import annotations

import functools
from typing import Any

from pybernetes.api import codecs, errors, fields, times
from pybernetes.api.types import meta_v1
from pybernetes.apiserver import request as requests
from pybernetes.apiserver import results
from pybernetes.apiserver.admission import plugin
from pybernetes.apiserver.endpoints import bodies, lists, update
from pybernetes.apiserver.endpoints import options as choices
from pybernetes.apiserver.endpoints import scope as scopes
from pybernetes.apiserver.storage import collection as collections
from pybernetes.apiserver.storage import item as items

FOREGROUND = "foregroundDeletion"
ORPHAN = "orphan"
POLICIES = ("Background", "Foreground", "Orphan")
# What upstream answers a finished deletion of these with: the object's last state and not a Status.
ANSWERED_WITH_OBJECT = {
    "persistentvolumeclaims",
    "persistentvolumes",
    "pods",
    "podtemplates",
    "resourcequotas",
    "serviceaccounts",
    "services",
}
# Their dependents are kept unless the client says otherwise, as they were before there was a garbage collector.
ORPHANING = ("jobs.batch", "replicationcontrollers")
JOB_WARNING = (
    "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or "
    "set propagationPolicy=Orphan to suppress this warning"
)


async def delete(scope: scopes.Scope, request: requests.Request) -> results.Result:
    """Answers the object while it is still there, a Status (or its last state) once it is gone."""
    options = delete_options(request)
    name = request.attributes.name
    item, gone = await delete_item(scope, request, request.attributes.namespace, name, options)
    resource = scope.kind.resource
    if not gone or (resource.group == "" and resource.name in ANSWERED_WITH_OBJECT):
        return results.Stored(scope.kind, item)
    meta = item.peek(resource.type).metadata
    details = meta_v1.StatusDetails(name=name, group=resource.group, kind=resource.name, uid=meta.uid)
    return results.Made(meta_v1.Status(status="Success", details=details))


async def delete_collection(scope: scopes.Scope, request: requests.Request) -> results.Result:
    """Delete each object that is selected; answers the list of what was."""
    options = delete_options(request)
    chosen = scope.collection.select(lists.selection(scope, request)).items
    deleted = []
    for item in chosen:
        namespace = item.key.split("/")[-2] if scope.kind.resource.namespaced else ""
        try:
            deleted.append((await delete_item(scope, request, namespace, item.name, options))[0])
        except errors.StatusError as error:
            # Somebody else was faster, which is what was wanted.
            if error.reason != "NotFound":
                raise
    return results.Listed(scope.kind, deleted, scope.collection.revision)


def delete_options(request: requests.Request) -> meta_v1.DeleteOptions:
    """From the body, or the query where there is none. Raises StatusError for contradictions."""
    choices.check(request, "DeleteOptions")
    body = request.body
    if body:
        options: meta_v1.DeleteOptions = _decode_options(request)
        if options.dryRun:
            if options.dryRun != ["All"]:
                problem = fields.not_supported(fields.Path("dryRun"), options.dryRun, ("All",))
                raise errors.invalid("meta.k8s.io", "DeleteOptions", "", [problem])
            request.query["dryRun"] = "All"
    else:
        query = request.query
        options = meta_v1.DeleteOptions()
        if query.get("gracePeriodSeconds"):
            options.gracePeriodSeconds = _whole("gracePeriodSeconds", query["gracePeriodSeconds"])
        if query.get("propagationPolicy"):
            options.propagationPolicy = query["propagationPolicy"]
        if "orphanDependents" in query:
            options.orphanDependents = request.flag("orphanDependents")
    problems = []
    if options.propagationPolicy is not None:
        if options.orphanDependents is not None:
            problems.append(
                fields.invalid(
                    fields.Path("propagationPolicy"),
                    options.propagationPolicy,
                    "orphanDependents and deletionPropagation cannot be both set",
                )
            )
        if options.propagationPolicy not in POLICIES:
            problems.append(
                fields.not_supported(
                    fields.Path("propagationPolicy"), options.propagationPolicy, ("Foreground", "Background", "Orphan")
                )
            )
    if options.gracePeriodSeconds is not None and options.gracePeriodSeconds < 0:
        # Negative means "at once" upstream, to the second.
        options.gracePeriodSeconds = 1
    if problems:
        raise errors.invalid("meta.k8s.io", "DeleteOptions", "", problems)
    return options


def _decode_options(request: requests.Request) -> Any:
    document = bodies.tree(request, "DeleteOptions")
    # Old clients send DeleteOptions under the group and version of what they delete.
    if isinstance(document, dict):
        document = {**document, "apiVersion": "v1", "kind": "DeleteOptions"}
    try:
        return codecs.from_tree(meta_v1.DeleteOptions, document)
    except codecs.DecodeError as error:
        raise errors.bad_request(str(error)) from None


def _whole(option: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise errors.bad_request(f'{option}: strconv.ParseInt: parsing "{text}": invalid syntax') from None


async def delete_item(
    scope: scopes.Scope,
    request: requests.Request,
    namespace: str,
    name: str,
    options: meta_v1.DeleteOptions,
    *,
    admitted: bool = False,
) -> tuple[items.Item, bool]:
    """The item as the deletion left it, and whether it is gone. Not all deletions are told to admission as such."""
    for _ in range(update.ATTEMPTS):
        item = scope.find(namespace, name)
        try:
            return await _delete_once(scope, request, item, namespace, name, options, admitted=admitted)
        except collections.Modified:
            continue
    raise scope.modified(name)


async def _delete_once(
    scope: scopes.Scope,
    request: requests.Request,
    item: items.Item,
    namespace: str,
    name: str,
    options: meta_v1.DeleteOptions,
    *,
    admitted: bool,
) -> tuple[items.Item, bool]:
    kind = scope.kind
    dry_run = choices.is_dry_run(request)
    obj = item.fresh(kind.resource.type)
    _check_preconditions(scope, obj, name, options.preconditions)
    silent = options.propagationPolicy is None and options.orphanDependents is None
    if silent and kind.resource.group_resource == "jobs.batch":
        request.warnings.append(JOB_WARNING)
    if not admitted:
        attributes = plugin.Attributes(
            operation=plugin.DELETE,
            kind=kind,
            namespace=namespace,
            name=name,
            user=request.user,
            old=obj,
            dry_run=dry_run,
            options=functools.partial(_options_tree, options),
            warnings=request.warnings,
            annotations=request.annotations,
            kept=request.keep,
        )
        await scope.admission.admit(attributes)
        await scope.admission.validate(attributes)
    before = codecs.encode(obj)
    meta = obj.metadata
    grace = _grace(scope, obj, options)
    meta.finalizers = _finalizers(meta.finalizers, options, orphaning=kind.resource.group_resource in ORPHANING)
    if meta.deletionTimestamp is None:
        kind.prepare_delete(obj, times.to_time(scope.clock.time()))
    held = bool(meta.finalizers) or (kind.resource.group_resource == "namespaces" and bool(obj.spec.finalizers))
    if not held and grace == 0:
        if dry_run:
            return item, True
        removed = await scope.collection.remove(item)
        if scope.released is not None:
            await scope.released(obj)
        return removed, True
    _mark(scope, obj, grace)
    if kind.resource.group_resource == "namespaces":
        obj.status.phase = "Terminating"
    if dry_run or codecs.encode(obj) == before:
        return item, False
    return await scope.collection.replace(item, obj), False


def _options_tree(options: meta_v1.DeleteOptions) -> dict[str, Any]:
    tree: dict[str, Any] = codecs.to_tree(options)
    return {**tree, "kind": "DeleteOptions", "apiVersion": "meta.k8s.io/v1"}


def _check_preconditions(scope: scopes.Scope, obj: Any, name: str, preconditions: meta_v1.Preconditions | None) -> None:
    if preconditions is None:
        return
    resource = scope.kind.resource
    uid, revision = preconditions.uid, preconditions.resourceVersion
    if uid is not None and uid != obj.metadata.uid:
        why = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {obj.metadata.uid}"
        raise errors.conflict(resource.group, resource.name, name, why)
    if revision is not None and revision != obj.metadata.resourceVersion:
        why = (
            f"Precondition failed: ResourceVersion in precondition: {revision}, "
            f"ResourceVersion in object meta: {obj.metadata.resourceVersion}"
        )
        raise errors.conflict(resource.group, resource.name, name, why)


def _grace(scope: scopes.Scope, obj: Any, options: meta_v1.DeleteOptions) -> int:
    """Seconds the object may take to go; only pods take any."""
    if not scope.kind.graceful:
        return 0
    if not obj.spec.nodeName or obj.status.phase in ("Succeeded", "Failed"):
        return 0
    if options.gracePeriodSeconds is not None:
        return options.gracePeriodSeconds
    seconds = obj.spec.terminationGracePeriodSeconds
    return 30 if seconds is None else int(seconds)


def _finalizers(current: list[str], options: meta_v1.DeleteOptions, *, orphaning: bool) -> list[str]:
    """The propagation policy, as finalizers that the garbage collector acts on."""
    policy = options.propagationPolicy
    if options.orphanDependents is not None:
        policy = "Orphan" if options.orphanDependents else "Background"
    if policy is None:
        # What an earlier request has settled, stays.
        if not orphaning or FOREGROUND in current or ORPHAN in current:
            return current
        policy = "Orphan"
    kept = [name for name in current if name not in (FOREGROUND, ORPHAN)]
    return kept + {"Foreground": [FOREGROUND], "Orphan": [ORPHAN]}.get(policy, [])


def _mark(scope: scopes.Scope, obj: Any, grace: int) -> None:
    """Set the time by which it is to be gone; a later request can only bring it forward."""
    meta = obj.metadata
    now = scope.clock.time()
    if meta.deletionTimestamp is None:
        meta.deletionTimestamp = times.to_time(now + grace)
        meta.deletionGracePeriodSeconds = grace
        if scope.kind.spec_of is not None:
            meta.generation += 1
    elif scope.kind.graceful and grace < (meta.deletionGracePeriodSeconds or 0):
        started = times.parse(meta.deletionTimestamp) - (meta.deletionGracePeriodSeconds or 0)
        meta.deletionTimestamp = times.to_time(max(started, now - grace) + grace)
        meta.deletionGracePeriodSeconds = grace
