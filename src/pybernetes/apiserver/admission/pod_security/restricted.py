"""The level `restricted`: beside what `baseline` asks, pods give up what they do not need, and say so."""

from __future__ import annotations

import msgspec

from pybernetes.api.types import core_v1, meta_v1
from pybernetes.apiserver.admission.pod_security import baseline, violations
from pybernetes.apiserver.admission.pod_security.violations import Violation

_VOLUMES = (
    *("configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image", "persistentVolumeClaim", "projected"),
    "secret",
)
_ADDABLE = frozenset(("NET_BIND_SERVICE",))


def escalation(_: meta_v1.ObjectMeta, spec: core_v1.PodSpec) -> Violation | None:
    wrong = [
        container.name
        for container in violations.containers(spec)
        if container.securityContext is None or container.securityContext.allowPrivilegeEscalation is not False
    ]
    if not wrong:
        return None
    detail = f"{violations.counted('container', wrong)} must set securityContext.allowPrivilegeEscalation=false"
    return Violation("allowPrivilegeEscalation != false", detail)


def capabilities(_: meta_v1.ObjectMeta, spec: core_v1.PodSpec) -> Violation | None:
    keeping, adding, added = [], [], set()
    for container in violations.containers(spec):
        context = container.securityContext
        stated = context.capabilities if context is not None else None
        if stated is None or "ALL" not in stated.drop:
            keeping.append(container.name)
        wrong = set(stated.add) - _ADDABLE if stated is not None else set()
        if wrong:
            adding.append(container.name)
            added |= wrong
    told = []
    if keeping:
        told.append(f'{violations.counted("container", keeping)} must set securityContext.capabilities.drop=["ALL"]')
    if adding:
        listed = violations.quoted(sorted(added))
        told.append(
            f"{violations.counted('container', adding)} must not include {listed} in securityContext.capabilities.add"
        )
    return Violation("unrestricted capabilities", "; ".join(told)) if told else None


def volumes(_: meta_v1.ObjectMeta, spec: core_v1.PodSpec) -> Violation | None:
    wrong, kinds = [], set()
    for volume in spec.volumes:
        sources = [
            field.name
            for field in msgspec.structs.fields(volume)
            if field.name != "name" and getattr(volume, field.name) is not None
        ]
        if any(name in _VOLUMES for name in sources):
            continue
        wrong.append(volume.name)
        kinds.add(sources[0] if sources else "unknown")
    if not wrong:
        return None
    what = violations.counted("restricted volume type", sorted(kinds))
    detail = f"{violations.counted('volume', wrong)} {violations.uses(wrong)} {what}"
    return Violation("restricted volume types", detail)


def non_root(_: meta_v1.ObjectMeta, spec: core_v1.PodSpec) -> Violation | None:
    refusing = [name for name, context in violations.contexts(spec) if context.runAsNonRoot is False]
    if refusing:
        detail = f"{violations.setters(refusing)} must not set securityContext.runAsNonRoot=false"
        return Violation("runAsNonRoot != true", detail)
    if spec.securityContext is not None and spec.securityContext.runAsNonRoot:
        return None
    silent = [
        container.name
        for container in violations.containers(spec)
        if container.securityContext is None or container.securityContext.runAsNonRoot is None
    ]
    if not silent:
        return None
    who = violations.counted("container", silent)
    return Violation("runAsNonRoot != true", f"pod or {who} must set securityContext.runAsNonRoot=true")


def user(_: meta_v1.ObjectMeta, spec: core_v1.PodSpec) -> Violation | None:
    wrong = [name for name, context in violations.contexts(spec) if context.runAsUser == 0]
    return Violation("runAsUser=0", f"{violations.setters(wrong)} must not set runAsUser=0") if wrong else None


def seccomp(meta: meta_v1.ObjectMeta, spec: core_v1.PodSpec) -> Violation | None:
    wrong = baseline.seccomp(meta, spec)
    if wrong is not None:
        return wrong
    if spec.securityContext is not None and spec.securityContext.seccompProfile is not None:
        return None
    silent = [
        container.name
        for container in violations.containers(spec)
        if container.securityContext is None or container.securityContext.seccompProfile is None
    ]
    if not silent:
        return None
    who = violations.counted("container", silent)
    detail = f'pod or {who} must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"'
    return Violation("seccompProfile", detail)


def _unless_windows(check: violations.Check) -> violations.Check:
    """What is asked for does not exist there."""

    def relaxed(meta: meta_v1.ObjectMeta, spec: core_v1.PodSpec) -> Violation | None:
        return None if violations.is_windows(spec) else check(meta, spec)

    return relaxed


RULES = (
    violations.Rule("allowPrivilegeEscalation", ((8, escalation), (25, _unless_windows(escalation)))),
    violations.Rule(
        "capabilities_restricted",
        ((22, capabilities), (25, _unless_windows(capabilities))),
        overrides="capabilities_baseline",
    ),
    violations.Rule("procMount_restricted", ((35, baseline.proc_mount),), overrides="procMount"),
    violations.Rule("restrictedVolumes", ((0, volumes),), overrides="hostPathVolumes"),
    violations.Rule("runAsNonRoot", ((0, non_root), (35, baseline.unless_own_users(non_root)))),
    violations.Rule("runAsUser", ((23, user), (35, baseline.unless_own_users(user)))),
    violations.Rule(
        "seccompProfile_restricted",
        ((19, seccomp), (25, _unless_windows(seccomp))),
        overrides="seccompProfile_baseline",
    ),
)
