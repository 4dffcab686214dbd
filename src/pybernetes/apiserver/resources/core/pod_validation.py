"""Validation of a pod's specification and of pod templates."""

from __future__ import annotations

import functools
import ipaddress

from pybernetes.api import codecs, fields, names
from pybernetes.api.types import core_v1
from pybernetes.apiserver.resources import checks
from pybernetes.apiserver.resources.core import (
    container_validation,
    resource_validation,
    scheduling_validation,
    sysctl_validation,
    volume_validation,
)

RESTART_POLICIES = ("Always", "OnFailure", "Never")
_DNS_POLICIES = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")
_MAX_INT32 = 2**31 - 1
_MAX_REMEMBERED = 8192
_SPEC = fields.Path("spec")


def ip(value: str, path: fields.Path) -> checks.Errors:
    """Any IPv4 or IPv6 address."""
    if _is_ip(value):
        return []
    return [fields.invalid(path, value, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)")]


@functools.lru_cache(maxsize=4096)
def _is_ip(value: str) -> bool:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return True


def pod_spec(spec: core_v1.PodSpec, path: fields.Path, *, template: bool = False) -> checks.Errors:
    """Of a pod, or of a pod template. Pods come in series with one specification: what was found good, is known."""
    encoded = codecs.encode(spec)
    if len(encoded) <= _MAX_REMEMBERED and _is_known_good(encoded, template):
        return []
    return _problems(spec, path, template=template)


@functools.lru_cache(maxsize=512)
def _is_known_good(encoded: bytes, template: bool) -> bool:
    return not _problems(codecs.decode(core_v1.PodSpec, encoded), _SPEC, template=template)


def _problems(spec: core_v1.PodSpec, path: fields.Path, *, template: bool) -> checks.Errors:
    problems: checks.Errors = []
    good, wrong = volume_validation.volumes(spec.volumes, path["volumes"])
    problems += wrong
    problems += _resource_claims(spec, path["resourceClaims"])
    context = container_validation.Context(
        volumes=good,
        claims=frozenset(claim.name for claim in spec.resourceClaims),
        grace=spec.terminationGracePeriodSeconds,
        host_users=spec.hostUsers is not False,
    )
    problems += container_validation.containers(spec.containers, context, path["containers"])
    if spec.initContainers:
        at = path["initContainers"]
        problems += container_validation.init_containers(spec.initContainers, spec.containers, context, at)
    if spec.ephemeralContainers:
        at = path["ephemeralContainers"]
        problems += container_validation.ephemeral_containers(spec.ephemeralContainers, spec, context, at)
    if spec.resources is not None:
        at = path["resources"]
        problems += resource_validation.requests_within_limits(spec.resources.requests, spec.resources.limits, at)
    if spec.hostNetwork:
        problems += _host_network(spec, path["containers"], template=template)
    problems += checks.required_one_of(spec.restartPolicy, RESTART_POLICIES, path["restartPolicy"])
    problems += checks.required_one_of(spec.dnsPolicy, _DNS_POLICIES, path["dnsPolicy"])
    if spec.nodeSelector:
        problems += checks.labels(spec.nodeSelector, path["nodeSelector"])
    problems += _security(spec, path)
    if spec.affinity is not None:
        problems += scheduling_validation.affinity(spec.affinity, path["affinity"])
    problems += _dns(spec, path["dnsConfig"])
    for index, gate in enumerate(spec.readinessGates):
        at = path["readinessGates"][index]["conditionType"]
        problems += checks.named(gate.conditionType, names.qualified_name, at)
    seen: set[str] = set()
    for index, scheduling_gate in enumerate(spec.schedulingGates):
        at = path["schedulingGates"][index]
        problems += checks.named(scheduling_gate.name, names.qualified_name, at)
        if scheduling_gate.name in seen:
            problems.append(fields.duplicate(at, scheduling_gate.name))
        seen.add(scheduling_gate.name)
    if spec.topologySpreadConstraints:
        at = path["topologySpreadConstraints"]
        problems += scheduling_validation.spread_constraints(spec.topologySpreadConstraints, at)
    problems += _names(spec, path)
    seconds = spec.activeDeadlineSeconds
    if seconds is not None:
        at = path["activeDeadlineSeconds"]
        problems += [fields.invalid(at, seconds, text) for text in names.in_range(seconds, 1, _MAX_INT32)]
    problems += scheduling_validation.tolerations(spec.tolerations, path["tolerations"])
    for index, alias in enumerate(spec.hostAliases):
        problems += ip(alias.ip, path["hostAliases"][index]["ip"])
        for place, hostname in enumerate(alias.hostnames):
            at = path["hostAliases"][index]["hostnames"][place]
            problems += checks.named(hostname, names.dns_subdomain, at)
    if spec.preemptionPolicy is not None:
        policies = ("PreemptLowerPriority", "Never")
        problems += checks.required_one_of(spec.preemptionPolicy, policies, path["preemptionPolicy"])
    for name, value in spec.overhead.items():
        at = path["overhead"].key(name)
        problems += resource_validation.container_resource_name(name, at)
        problems += resource_validation.amount(name, value, at)
    if spec.os is not None:
        problems += checks.required_one_of(spec.os.name, ("linux", "windows"), path["os"]["name"])
    return problems


def _names(spec: core_v1.PodSpec, path: fields.Path) -> checks.Errors:
    problems: checks.Errors = []
    for name in ("serviceAccountName", "nodeName", "priorityClassName", "runtimeClassName"):
        value = getattr(spec, name)
        if value:
            problems += checks.named(value, names.dns_subdomain, path[name])
    for name in ("hostname", "subdomain"):
        value = getattr(spec, name)
        if value:
            problems += checks.named(value, names.dns_label, path[name])
    override = spec.hostnameOverride
    if override is not None:
        at = path["hostnameOverride"]
        if spec.setHostnameAsFQDN:
            problems.append(fields.forbidden(at, "may not be specified when setHostnameAsFQDN is true"))
        if spec.hostNetwork:
            problems.append(fields.forbidden(at, "may not be specified when hostNetwork is true"))
        if len(override) > 64:
            problems.append(fields.too_long(at, 64))
        problems += checks.named(override, names.dns_subdomain, at)
    return problems


def _host_network(spec: core_v1.PodSpec, path: fields.Path, *, template: bool) -> checks.Errors:
    problems: checks.Errors = []
    for index, container in enumerate(spec.containers):
        for place, port in enumerate(container.ports):
            if port.hostPort != port.containerPort and (port.hostPort or not template):
                at = path[index]["ports"][place]["hostPort"]
                words = "must match `containerPort` when `hostNetwork` is true"
                problems.append(fields.invalid(at, port.hostPort, words))
    return problems


def _resource_claims(spec: core_v1.PodSpec, path: fields.Path) -> checks.Errors:
    problems: checks.Errors = []
    seen: set[str] = set()
    for index, claim in enumerate(spec.resourceClaims):
        at = path[index]
        if not claim.name:
            problems.append(fields.required(at["name"]))
        else:
            problems += checks.named(claim.name, names.dns_label, at["name"])
        if claim.name in seen:
            problems.append(fields.duplicate(at["name"], claim.name))
        seen.add(claim.name)
        if claim.resourceClaimName is not None and claim.resourceClaimTemplateName is not None:
            words = "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified"
            problems.append(fields.invalid(at, claim, words))
        elif claim.resourceClaimName is None and claim.resourceClaimTemplateName is None:
            words = "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`"
            problems.append(fields.invalid(at, claim, words))
    return problems


def _security(spec: core_v1.PodSpec, pod: fields.Path) -> checks.Errors:
    problems: checks.Errors = []
    path = pod["securityContext"]
    if spec.shareProcessNamespace and spec.hostPID:
        words = "ShareProcessNamespace and HostPID cannot both be enabled"
        problems.append(fields.invalid(path["shareProcessNamespace"], True, words))
    if spec.hostUsers is False:
        for name, label in (("hostNetwork", "hostNetwork"), ("hostPID", "HostPID"), ("hostIPC", "HostIPC")):
            if getattr(spec, name):
                problems.append(fields.forbidden(pod[label], "when `hostUsers` is false"))
    context = spec.securityContext
    if context is None:
        return problems
    for name in ("fsGroup", "runAsUser", "runAsGroup"):
        number = getattr(context, name)
        if number is not None:
            problems += [fields.invalid(path[name], number, text) for text in names.user_id(number)]
    for index, group in enumerate(context.supplementalGroups):
        at = path["supplementalGroups"][index]
        problems += [fields.invalid(at, group, text) for text in names.user_id(group)]
    problems += sysctl_validation.validate(spec, path["sysctls"])
    if context.fsGroupChangePolicy is not None:
        at = path["fsGroupChangePolicy"]
        problems += checks.one_of(context.fsGroupChangePolicy, ("OnRootMismatch", "Always"), at)
    if context.supplementalGroupsPolicy is not None:
        at = path["supplementalGroupsPolicy"]
        problems += checks.one_of(context.supplementalGroupsPolicy, ("Merge", "Strict"), at)
    problems += container_validation.seccomp(context.seccompProfile, path["seccompProfile"])
    return problems + container_validation.app_armor(context.appArmorProfile, path["appArmorProfile"])


def _dns(spec: core_v1.PodSpec, path: fields.Path) -> checks.Errors:
    config = spec.dnsConfig
    if spec.dnsPolicy == "None":
        if config is None:
            return [fields.required(path, "must provide `dnsConfig` when `dnsPolicy` is None")]
        if not config.nameservers:
            words = "must provide at least one DNS nameserver when `dnsPolicy` is None"
            return [fields.required(path["nameservers"], words)]
    if config is None:
        return []
    problems: checks.Errors = []
    if len(config.nameservers) > 3:
        words = "must not have more than 3 nameservers"
        problems.append(fields.invalid(path["nameservers"], config.nameservers, words))
    for index, server in enumerate(config.nameservers):
        problems += ip(server, path["nameservers"][index])
    if len(config.searches) > 32:
        words = "must not have more than 32 search paths"
        problems.append(fields.invalid(path["searches"], config.searches, words))
    if len(" ".join(config.searches)) > 2048:
        words = "must not have more than 2048 characters (including spaces) in the search list"
        problems.append(fields.invalid(path["searches"], config.searches, words))
    for index, search in enumerate(config.searches):
        if search != ".":
            bare = search.removesuffix(".")
            problems += checks.named(bare, names.dns_subdomain_with_underscore, path["searches"][index])
    for index, option in enumerate(config.options):
        if not option.name:
            problems.append(fields.required(path["options"][index], "must not be empty"))
    return problems


def pod_annotations(pod: core_v1.Pod) -> checks.Errors:
    """The few annotations that mean something to the API server."""
    path = fields.Path("metadata")["annotations"]
    mirror = pod.metadata.annotations.get("kubernetes.io/config.mirror")
    if mirror is not None and not pod.spec.nodeName:
        words = "must set spec.nodeName if mirror pod annotation is set"
        return [fields.invalid(path.key("kubernetes.io/config.mirror"), mirror, words)]
    return []


def template(value: core_v1.PodTemplateSpec, path: fields.Path) -> checks.Errors:
    """A pod template, wherever it stands."""
    problems = checks.labels(value.metadata.labels, path["labels"])
    problems += checks.annotation_map(value.metadata.annotations, path["annotations"])
    problems += pod_spec(value.spec, path["spec"], template=True)
    if value.spec.ephemeralContainers:
        words = "ephemeral containers not allowed in pod template"
        problems.append(fields.forbidden(path["spec"]["ephemeralContainers"], words))
    return problems
