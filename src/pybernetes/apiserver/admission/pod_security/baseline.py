"""The level `baseline`: known ways to more privileges are closed, defaults are allowed."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection
from typing import Any

from pybernetes.api.types import core_v1, meta_v1
from pybernetes.apiserver.admission.pod_security import violations
from pybernetes.apiserver.admission.pod_security.violations import Violation

_CAPABILITIES = frozenset(
    (
        *("AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP"),
        *("SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"),
    )
)
_SELINUX = ("", "container_t", "container_init_t", "container_kvm_t")
_SYSCTLS = (
    *("kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.tcp_syncookies"),
    *("net.ipv4.ping_group_range", "net.ipv4.ip_unprivileged_port_start"),
)
_SYSCTLS_27 = (*_SYSCTLS, "net.ipv4.ip_local_reserved_ports")
_KEEPALIVE = tuple(
    f"net.ipv4.{name}"
    for name in ("tcp_keepalive_time", "tcp_fin_timeout", "tcp_keepalive_intvl", "tcp_keepalive_probes")
)
_SYSCTLS_29 = (*_SYSCTLS_27, *_KEEPALIVE)
_SYSCTLS_32 = (*_SYSCTLS_29, "net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem")
_APP_ARMOR = "container.apparmor.security.beta.kubernetes.io/"
_SECCOMP_POD = "seccomp.security.alpha.kubernetes.io/pod"
_SECCOMP_CONTAINER = "container.seccomp.security.alpha.kubernetes.io/"
PROFILES = ("RuntimeDefault", "Localhost")


def app_armor(meta: meta_v1.ObjectMeta, spec: core_v1.PodSpec) -> Violation | None:
    wrong = [
        (name, context.appArmorProfile.type)
        for name, context in violations.contexts(spec)
        if context.appArmorProfile is not None and context.appArmorProfile.type not in PROFILES
    ]
    annotated = sorted(
        f'{key}="{value}"'
        for key, value in meta.annotations.items()
        if key.startswith(_APP_ARMOR) and value not in ("", "runtime/default") and not value.startswith("localhost/")
    )
    if not wrong and not annotated:
        return None
    values = [*sorted({value for _, value in wrong}), *annotated]
    who = [violations.setters(name for name, _ in wrong)] if wrong else []
    who += [violations.plural("annotation", annotated)] if annotated else []
    detail = f"{' and '.join(who)} must not set AppArmor profile type to {violations.quoted(values)}"
    return Violation(violations.plural("forbidden AppArmor profile", values), detail)


def capabilities(_: meta_v1.ObjectMeta, spec: core_v1.PodSpec) -> Violation | None:
    added = {container.name: _added(container) - _CAPABILITIES for container in violations.containers(spec)}
    wrong = [name for name, found in added.items() if found]
    if not wrong:
        return None
    listed = violations.quoted(sorted(set().union(*added.values())))
    detail = f"{violations.counted('container', wrong)} must not include {listed} in securityContext.capabilities.add"
    return Violation("non-default capabilities", detail)


def _added(container: Any) -> set[str]:
    context = container.securityContext
    return set() if context is None or context.capabilities is None else set(context.capabilities.add)


def host_namespaces(_: meta_v1.ObjectMeta, spec: core_v1.PodSpec) -> Violation | None:
    found = [f"{name}=true" for name in ("hostNetwork", "hostPID", "hostIPC") if getattr(spec, name)]
    return Violation("host namespaces", ", ".join(found)) if found else None


def host_path_volumes(_: meta_v1.ObjectMeta, spec: core_v1.PodSpec) -> Violation | None:
    wrong = [volume.name for volume in spec.volumes if volume.hostPath is not None]
    return Violation("hostPath volumes", violations.counted("volume", wrong)) if wrong else None


def host_ports(_: meta_v1.ObjectMeta, spec: core_v1.PodSpec) -> Violation | None:
    used = {c.name: {str(port.hostPort) for port in c.ports if port.hostPort} for c in violations.containers(spec)}
    wrong = [name for name, ports in used.items() if ports]
    if not wrong:
        return None
    ports = sorted(set().union(*used.values()))
    what = f"{violations.plural('hostPort', ports)} {', '.join(ports)}"
    return Violation("hostPort", f"{violations.counted('container', wrong)} {violations.uses(wrong)} {what}")


def hosts(_: meta_v1.ObjectMeta, spec: core_v1.PodSpec) -> Violation | None:
    """Probes and hooks are for the pod itself."""
    named: dict[str, set[str]] = {}
    for container in violations.containers(spec):
        hooks = container.lifecycle
        handlers = [container.livenessProbe, container.readinessProbe, container.startupProbe]
        handlers += [hooks.postStart, hooks.preStop] if hooks is not None else []
        for handler in handlers:
            for action in (handler.httpGet, handler.tcpSocket) if handler is not None else ():
                if action is not None and action.host:
                    named.setdefault(container.name, set()).add(action.host)
    if not named:
        return None
    wrong, found = sorted(named), sorted(set().union(*named.values()))
    what = violations.counted("probe or lifecycle host", found)
    detail = f"{violations.counted('container', wrong)} {violations.uses(wrong)} {what}"
    return Violation("probe or lifecycle host", detail)


def privileged(_: meta_v1.ObjectMeta, spec: core_v1.PodSpec) -> Violation | None:
    wrong = [name for name, context in violations.contexts(spec) if name and context.privileged]
    if not wrong:
        return None
    detail = f"{violations.counted('container', wrong)} must not set securityContext.privileged=true"
    return Violation("privileged", detail)


def proc_mount(_: meta_v1.ObjectMeta, spec: core_v1.PodSpec) -> Violation | None:
    wrong = [
        (name, context.procMount)
        for name, context in violations.contexts(spec)
        if name and context.procMount not in (None, "Default")
    ]
    if not wrong:
        return None
    who = violations.counted("container", [name for name, _ in wrong])
    values = violations.quoted(sorted({value for _, value in wrong}))
    return Violation("procMount", f"{who} must not set securityContext.procMount to {values}")


def unless_own_users(check: violations.Check) -> violations.Check:
    """The check does not apply to pods in a user namespace of their own."""

    def relaxed(meta: meta_v1.ObjectMeta, spec: core_v1.PodSpec) -> Violation | None:
        return None if spec.hostUsers is False else check(meta, spec)

    return relaxed


def selinux(allowed: Collection[str], _: meta_v1.ObjectMeta, spec: core_v1.PodSpec) -> Violation | None:
    wrong = [
        (name, context.seLinuxOptions)
        for name, context in violations.contexts(spec)
        if (options := context.seLinuxOptions) is not None
        and (options.type not in allowed or options.user or options.role)
    ]
    if not wrong:
        return None
    types = sorted({options.type for _, options in wrong} - set(allowed))
    told = [violations.counted("type", types)] if types else []
    told += ["user may not be set"] if any(options.user for _, options in wrong) else []
    told += ["role may not be set"] if any(options.role for _, options in wrong) else []
    who = violations.setters(name for name, _ in wrong)
    return Violation("seLinuxOptions", f"{who} set forbidden securityContext.seLinuxOptions: {'; '.join(told)}")


def seccomp_annotations(meta: meta_v1.ObjectMeta, spec: core_v1.PodSpec) -> Violation | None:
    keys = [_SECCOMP_POD, *(_SECCOMP_CONTAINER + container.name for container in violations.containers(spec))]
    allowed = ("runtime/default", "docker/default")
    wrong = sorted(
        f'{key}="{value}"'
        for key, value in ((key, meta.annotations.get(key)) for key in dict.fromkeys(keys))
        if value is not None and value not in allowed and not value.startswith("localhost/")
    )
    if not wrong:
        return None
    return Violation("seccompProfile", f"forbidden {violations.plural('annotation', wrong)} {', '.join(wrong)}")


def seccomp(_: meta_v1.ObjectMeta, spec: core_v1.PodSpec) -> Violation | None:
    wrong = [
        (name, context.seccompProfile.type)
        for name, context in violations.contexts(spec)
        if context.seccompProfile is not None and context.seccompProfile.type not in PROFILES
    ]
    if not wrong:
        return None
    values = violations.quoted(sorted({value for _, value in wrong}))
    who = violations.setters(name for name, _ in wrong)
    return Violation("seccompProfile", f"{who} must not set securityContext.seccompProfile.type to {values}")


def sysctls(allowed: Collection[str], _: meta_v1.ObjectMeta, spec: core_v1.PodSpec) -> Violation | None:
    context = spec.securityContext
    wrong = [one.name for one in context.sysctls if one.name not in allowed] if context is not None else []
    return Violation("forbidden sysctls", ", ".join(wrong)) if wrong else None


def host_process(_: meta_v1.ObjectMeta, spec: core_v1.PodSpec) -> Violation | None:
    wrong = [
        name
        for name, context in violations.contexts(spec)
        if context.windowsOptions is not None and context.windowsOptions.hostProcess
    ]
    if not wrong:
        return None
    who = violations.setters(wrong)
    return Violation("hostProcess", f"{who} must not set securityContext.windowsOptions.hostProcess=true")


def _with(check: Callable[..., Violation | None], allowed: Collection[str]) -> violations.Check:
    return functools.partial(check, allowed)


RULES = (
    violations.Rule("appArmorProfile", ((0, app_armor),)),
    violations.Rule("capabilities_baseline", ((0, capabilities),)),
    violations.Rule("hostNamespaces", ((0, host_namespaces),)),
    violations.Rule("hostPathVolumes", ((0, host_path_volumes),)),
    violations.Rule("hostPorts", ((0, host_ports),)),
    violations.Rule("hostProbesAndHostLifecycle", ((34, hosts),)),
    violations.Rule("privileged", ((0, privileged),)),
    violations.Rule("procMount", ((0, proc_mount), (35, unless_own_users(proc_mount)))),
    violations.Rule(
        "seLinuxOptions", ((0, _with(selinux, _SELINUX)), (31, _with(selinux, (*_SELINUX, "container_engine_t"))))
    ),
    violations.Rule("seccompProfile_baseline", ((0, seccomp_annotations), (19, seccomp))),
    violations.Rule(
        "sysctls",
        (
            (0, _with(sysctls, _SYSCTLS)),
            (27, _with(sysctls, _SYSCTLS_27)),
            (29, _with(sysctls, _SYSCTLS_29)),
            (32, _with(sysctls, _SYSCTLS_32)),
        ),
    ),
    violations.Rule("windowsHostProcess", ((0, host_process),)),
)
