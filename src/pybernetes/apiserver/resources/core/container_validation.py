"""Validation of containers: names, ports, environment, mounts, security."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from pybernetes.api import fields, names
from pybernetes.api.types import core_v1
from pybernetes.apiserver.resources import checks
from pybernetes.apiserver.resources.core import (
    pod_spec,
    probe_validation,
    reference_validation,
    resource_validation,
    volume_validation,
)

_PULL_POLICIES = ("Always", "IfNotPresent", "Never")
_PROTOCOLS = ("TCP", "UDP", "SCTP")
_PROPAGATIONS = ("Bidirectional", "HostToContainer", "None")
_EPHEMERAL_FORBIDDEN = (
    "ports",
    "lifecycle",
    "livenessProbe",
    "readinessProbe",
    "startupProbe",
    "resizePolicy",
    "resources",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What a container's validity depends on in its pod."""

    volumes: Mapping[str, core_v1.Volume] = field(default_factory=dict)
    claims: frozenset[str] = frozenset()
    grace: int | None = None
    host_users: bool = True


def containers(listed: list[core_v1.Container], context: Context, path: fields.Path) -> checks.Errors:
    """The regular ones, of which there must be one."""
    if not listed:
        return [fields.required(path)]
    problems: checks.Errors = []
    seen: set[str] = set()
    for index, container in enumerate(listed):
        at = path[index]
        problems += _common(container, context, at)
        if container.name in seen:
            problems.append(fields.duplicate(at["name"], container.name))
        seen.add(container.name)
        if container.lifecycle is not None:
            problems += probe_validation.lifecycle(container.lifecycle, context.grace, at["lifecycle"])
        problems += probe_validation.probes(container, context.grace, at)
        problems += _restart(container, at)
    return problems + _host_ports(listed, path)


def init_containers(
    listed: list[core_v1.Container], regular: Iterable[core_v1.Container], context: Context, path: fields.Path
) -> checks.Errors:
    """Those that run first; with restartPolicy Always they are sidecars and may have what containers have."""
    problems: checks.Errors = []
    seen = {container.name for container in regular}
    for index, container in enumerate(listed):
        at = path[index]
        problems += _common(container, context, at) + _restart(container, at)
        if container.name in seen:
            problems.append(fields.duplicate(at["name"], container.name))
        elif container.name:
            seen.add(container.name)
        problems += _host_ports([container], path)
        if container.restartPolicy == "Always":
            if container.lifecycle is not None:
                problems += probe_validation.lifecycle(container.lifecycle, context.grace, at["lifecycle"])
            problems += probe_validation.probes(container, context.grace, at)
            continue
        for name in ("lifecycle", "livenessProbe", "readinessProbe", "startupProbe"):
            if getattr(container, name) is not None:
                words = "may not be set for init containers without restartPolicy=Always"
                problems.append(fields.forbidden(at[name], words))
    return problems


def ephemeral_containers(
    listed: list[core_v1.EphemeralContainer], spec: core_v1.PodSpec, context: Context, path: fields.Path
) -> checks.Errors:
    """Those added to a running pod, which may not have what only a kubelet's start can give."""
    problems: checks.Errors = []
    others = {container.name for container in (*spec.containers, *spec.initContainers)}
    seen = set(others)
    for index, container in enumerate(listed):
        at = path[index]
        problems += _common(container, context, at)
        if container.name in seen:
            problems.append(fields.duplicate(at["name"], container.name))
        seen.add(container.name)
        if container.targetContainerName and container.targetContainerName not in others:
            problems.append(fields.not_found(at["targetContainerName"], container.targetContainerName))
        empty = core_v1.EphemeralContainer()
        for name in _EPHEMERAL_FORBIDDEN:
            if getattr(container, name) != getattr(empty, name):
                problems.append(fields.forbidden(at[name], "cannot be set for an Ephemeral Container"))
        for place, mount in enumerate(container.volumeMounts):
            for name in ("subPath", "subPathExpr"):
                if getattr(mount, name):
                    words = "cannot be set for an Ephemeral Container"
                    problems.append(fields.forbidden(at["volumeMounts"][place][name], words))
    return problems


def _common(container: pod_spec.AnyContainer, context: Context, path: fields.Path) -> checks.Errors:
    problems: checks.Errors = []
    if not container.name:
        problems.append(fields.required(path["name"]))
    else:
        problems += checks.named(container.name, names.dns_label, path["name"])
    if not container.image:
        problems.append(fields.required(path["image"]))
    policies = ("File", "FallbackToLogsOnError")
    problems += checks.required_one_of(container.terminationMessagePolicy, policies, path["terminationMessagePolicy"])
    problems += _ports(container.ports, path["ports"])
    problems += environment(container.env, path["env"])
    problems += _environment_from(container.envFrom, path["envFrom"])
    problems += _mounts(container, context, path["volumeMounts"])
    problems += _devices(container, context, path["volumeDevices"])
    problems += checks.required_one_of(container.imagePullPolicy, _PULL_POLICIES, path["imagePullPolicy"])
    problems += resource_validation.requirements(container.resources, context.claims, path["resources"])
    return problems + _security(container.securityContext, context, path["securityContext"])


def _restart(container: core_v1.Container, path: fields.Path) -> checks.Errors:
    problems: checks.Errors = []
    policy = container.restartPolicy
    if policy is not None:
        problems += checks.one_of(policy, ("Always", "Never", "OnFailure"), path["restartPolicy"])
    if not container.restartPolicyRules:
        return problems
    if policy is None:
        words = "must specify restartPolicy when restart rules are used"
        problems.append(fields.required(path["restartPolicy"], words))
    at = path["restartPolicyRules"]
    if len(container.restartPolicyRules) > 20:
        problems.append(fields.too_many(at, len(container.restartPolicyRules), 20))
    for index, rule in enumerate(container.restartPolicyRules):
        problems += checks.one_of(rule.action, ("Restart", "RestartAllContainers"), at[index]["action"])
        if rule.exitCodes is None:
            problems.append(fields.required(at[index]["exitCodes"], "must be specified"))
        else:
            problems += checks.one_of(rule.exitCodes.operator, ("In", "NotIn"), at[index]["exitCodes"]["operator"])
            if len(rule.exitCodes.values) > 255:
                count = len(rule.exitCodes.values)
                problems.append(fields.too_many(at[index]["exitCodes"]["values"], count, 255))
    return problems


def _ports(ports: list[core_v1.ContainerPort], path: fields.Path) -> checks.Errors:
    problems: checks.Errors = []
    seen: set[str] = set()
    for index, port in enumerate(ports):
        at = path[index]
        if port.name:
            wrong = checks.named(port.name, names.port_name, at["name"])
            if not wrong and port.name in seen:
                wrong = [fields.duplicate(at["name"], port.name)]
            seen.add(port.name)
            problems += wrong
        if port.containerPort == 0:
            problems.append(fields.required(at["containerPort"]))
        else:
            problems += checks.port(port.containerPort, at["containerPort"])
        if port.hostPort:
            problems += checks.port(port.hostPort, at["hostPort"])
        problems += checks.required_one_of(port.protocol, _PROTOCOLS, at["protocol"])
    return problems


def _host_ports(listed: list[core_v1.Container], path: fields.Path) -> checks.Errors:
    problems: checks.Errors = []
    taken: set[str] = set()
    for index, container in enumerate(listed):
        for place, port in enumerate(container.ports):
            if port.hostPort:
                key = f"{port.protocol}/{port.hostIP}/{port.hostPort}"
                if key in taken:
                    problems.append(fields.duplicate(path[index]["ports"][place]["hostPort"], key))
                taken.add(key)
    return problems


def environment(variables: list[core_v1.EnvVar], path: fields.Path) -> checks.Errors:
    problems: checks.Errors = []
    for index, variable in enumerate(variables):
        at = path[index]
        if not variable.name:
            problems.append(fields.required(at["name"]))
        else:
            problems += checks.named(variable.name, names.relaxed_env_var_name, at["name"])
        if variable.valueFrom is not None:
            problems += _value_from(variable, variable.valueFrom, at["valueFrom"])
    return problems


def _value_from(variable: core_v1.EnvVar, source: core_v1.EnvVarSource, path: fields.Path) -> checks.Errors:
    problems: checks.Errors = []
    count = 0
    if source.fieldRef is not None:
        count += 1
        allowed = reference_validation.ENV_FIELDS
        problems += reference_validation.object_field(source.fieldRef, allowed, path["fieldRef"])
    if source.resourceFieldRef is not None:
        count += 1
        at = path["resourceFieldRef"]
        problems += reference_validation.resource_field(source.resourceFieldRef, at, named_container=False)
    for name, selector in (("configMapKeyRef", source.configMapKeyRef), ("secretKeyRef", source.secretKeyRef)):
        if selector is not None:
            count += 1
            problems += checks.named(selector.name, names.dns_subdomain, path[name]["name"])
            if not selector.key:
                problems.append(fields.required(path[name]["key"]))
            else:
                problems += checks.named(selector.key, names.config_map_key, path[name]["key"])
    if source.fileKeyRef is not None:
        count += 1
        at = path["fileKeyRef"]
        for name in ("key", "volumeName", "path"):
            if not getattr(source.fileKeyRef, name):
                problems.append(fields.required(at[name]))
    if count == 0:
        words = "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`"
        problems.append(fields.invalid(path, "", words))
    elif variable.value:
        problems.append(fields.invalid(path, "", "may not be specified when `value` is not empty"))
    elif count > 1:
        problems.append(fields.invalid(path, "", "may not have more than one field specified at a time"))
    return problems


def _environment_from(sources: list[core_v1.EnvFromSource], path: fields.Path) -> checks.Errors:
    problems: checks.Errors = []
    for index, source in enumerate(sources):
        at = path[index]
        if source.prefix:
            problems += checks.named(source.prefix, names.relaxed_env_var_name, at["prefix"])
        count = 0
        for name, reference in (("configMapRef", source.configMapRef), ("secretRef", source.secretRef)):
            if reference is None:
                continue
            count += 1
            if not reference.name:
                problems.append(fields.required(at[name]["name"]))
            else:
                problems += checks.named(reference.name, names.dns_subdomain, at[name]["name"])
        if count == 0:
            problems.append(fields.invalid(path, "", "must specify one of: `configMapRef` or `secretRef`"))
        elif count > 1:
            problems.append(fields.invalid(path, "", "may not have more than one field specified at a time"))
    return problems


def _mounts(container: pod_spec.AnyContainer, context: Context, path: fields.Path) -> checks.Errors:
    problems: checks.Errors = []
    places: set[str] = set()
    device_names = {device.name for device in container.volumeDevices}
    device_paths = {device.devicePath for device in container.volumeDevices}
    for index, mount in enumerate(container.volumeMounts):
        at = path[index]
        if not mount.name:
            problems.append(fields.required(at["name"]))
        if mount.name not in context.volumes:
            problems.append(fields.not_found(at["name"], mount.name))
        if not mount.mountPath:
            problems.append(fields.required(at["mountPath"]))
        if mount.mountPath in places:
            problems.append(fields.invalid(at["mountPath"], mount.mountPath, "must be unique"))
        places.add(mount.mountPath)
        if mount.name in device_names:
            problems.append(fields.invalid(at["name"], mount.name, "must not already exist in volumeDevices"))
        if mount.mountPath in device_paths:
            words = "must not already exist as a path in volumeDevices"
            problems.append(fields.invalid(at["mountPath"], mount.mountPath, words))
        if mount.subPath:
            problems += volume_validation.descending(mount.subPath, path["subPath"])
        if mount.subPathExpr:
            if mount.subPath:
                words = "subPathExpr and subPath are mutually exclusive"
                problems.append(fields.invalid(at["subPathExpr"], mount.subPathExpr, words))
            problems += volume_validation.descending(mount.subPathExpr, path["subPathExpr"])
        problems += _propagation(container, mount, path)
    return problems


def _propagation(container: pod_spec.AnyContainer, mount: core_v1.VolumeMount, path: fields.Path) -> checks.Errors:
    problems: checks.Errors = []
    mode = mount.mountPropagation
    if mode is not None:
        at = path["mountPropagation"]
        problems += checks.one_of(mode, _PROPAGATIONS, at)
        security = container.securityContext
        if mode == "Bidirectional" and not (security is not None and security.privileged):
            words = "Bidirectional mount propagation is available only to privileged containers"
            problems.append(fields.forbidden(at, words))
    if mount.recursiveReadOnly is not None:
        at = path["recursiveReadOnly"]
        problems += checks.one_of(mount.recursiveReadOnly, ("Disabled", "Enabled", "IfPossible"), at)
        if mount.recursiveReadOnly != "Disabled":
            if not mount.readOnly:
                problems.append(fields.forbidden(at, "may only be specified when readOnly is true"))
            if mode not in (None, "None"):
                words = "may only be specified when mountPropagation is None or not specified"
                problems.append(fields.forbidden(at, words))
    return problems


def _devices(container: pod_spec.AnyContainer, context: Context, path: fields.Path) -> checks.Errors:
    problems: checks.Errors = []
    seen_names: set[str] = set()
    seen_paths: set[str] = set()
    mounted = {mount.name for mount in container.volumeMounts}
    mount_paths = {mount.mountPath for mount in container.volumeMounts}
    for index, device in enumerate(container.volumeDevices):
        at = path[index]
        volume = context.volumes.get(device.name)
        if not device.name:
            problems.append(fields.required(at["name"]))
        if device.name in seen_names:
            problems.append(fields.invalid(at["name"], device.name, "must be unique"))
        if volume is None:
            problems.append(fields.not_found(at["name"], device.name))
        elif volume.persistentVolumeClaim is None and volume.ephemeral is None:
            words = "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode"
            problems.append(fields.invalid(at["name"], device.name, words))
        if not device.devicePath:
            problems.append(fields.required(at["devicePath"]))
        if device.devicePath in seen_paths:
            problems.append(fields.invalid(at["devicePath"], device.devicePath, "must be unique"))
        if ".." in device.devicePath.split("/"):
            problems.append(fields.invalid(at["devicePath"], device.devicePath, "can not contain backsteps ('..')"))
        if device.name in mounted:
            problems.append(fields.invalid(at["name"], device.name, "must not already exist in volumeMounts"))
        if device.devicePath in mount_paths:
            words = "must not already exist as a path in volumeMounts"
            problems.append(fields.invalid(at["devicePath"], device.devicePath, words))
        seen_names.add(device.name)
        seen_paths.add(device.devicePath)
    return problems


def _security(context: core_v1.SecurityContext | None, pod: Context, path: fields.Path) -> checks.Errors:
    if context is None:
        return []
    problems: checks.Errors = []
    for name in ("runAsUser", "runAsGroup"):
        number = getattr(context, name)
        if number is not None:
            problems += [fields.invalid(path[name], number, text) for text in names.user_id(number)]
    if context.procMount is not None:
        problems += checks.one_of(context.procMount, ("Default", "Unmasked"), path["procMount"])
        if pod.host_users and context.procMount == "Unmasked":
            words = "`hostUsers` must be false to use `Unmasked`"
            problems.append(fields.invalid(path["procMount"], context.procMount, words))
    problems += seccomp(context.seccompProfile, path["seccompProfile"])
    if context.allowPrivilegeEscalation is False:
        if context.privileged:
            words = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"
            problems.append(fields.invalid(path, context, words))
        if context.capabilities is not None and "CAP_SYS_ADMIN" in context.capabilities.add:
            words = "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN"
            problems.append(fields.invalid(path, context, words))
    return problems + app_armor(context.appArmorProfile, path["appArmorProfile"])


def seccomp(profile: core_v1.SeccompProfile | None, path: fields.Path) -> checks.Errors:
    """Of a container or a pod."""
    if profile is None:
        return []
    problems = checks.required_one_of(profile.type, ("Localhost", "RuntimeDefault", "Unconfined"), path["type"])
    at = path["localhostProfile"]
    if profile.type == "Localhost":
        if profile.localhostProfile is None:
            problems.append(fields.required(at, "must be set when seccomp type is Localhost"))
        else:
            problems += volume_validation.descending(profile.localhostProfile, at)
    elif profile.localhostProfile is not None:
        problems.append(fields.invalid(at, profile, "can only be set when seccomp type is Localhost"))
    return problems


def app_armor(profile: core_v1.AppArmorProfile | None, path: fields.Path) -> checks.Errors:
    """Of a container or a pod."""
    if profile is None:
        return []
    problems = checks.required_one_of(profile.type, ("Localhost", "RuntimeDefault", "Unconfined"), path["type"])
    at = path["localhostProfile"]
    if profile.type == "Localhost":
        if not (profile.localhostProfile or "").strip():
            problems.append(fields.required(at, "must be set when AppArmor type is Localhost"))
    elif profile.localhostProfile is not None:
        problems.append(fields.invalid(at, profile.localhostProfile, "can only be set when AppArmor type is Localhost"))
    return problems
