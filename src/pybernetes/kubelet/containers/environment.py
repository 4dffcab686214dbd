"""A container's environment: Services, ConfigMaps and Secrets, field references and plain values, in that order."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from typing import Protocol

from pybernetes.api.types import core_v1
from pybernetes.kubelet.containers import downward, expansion, labels


class ConfigError(Exception):
    """The container cannot be configured as its spec asks: CreateContainerConfigError."""


class Source(Protocol):
    """Where ConfigMaps and Secrets come from; None where there is none of that name."""

    async def config_map(self, namespace: str, name: str) -> core_v1.ConfigMap | None: ...

    async def secret(self, namespace: str, name: str) -> core_v1.Secret | None: ...


def service_variables(services: Iterable[core_v1.Service]) -> dict[str, str]:
    """What upstream tells about every Service: `WEB_SERVICE_HOST`, `WEB_PORT`, and Docker-link style names."""
    result: dict[str, str] = {}
    for service in services:
        if service.spec.clusterIP in ("", "None") or not service.spec.ports:
            continue
        name = service.metadata.name.upper().replace("-", "_")
        host = service.spec.clusterIP
        shown = f"[{host}]" if ":" in host else host
        result[f"{name}_SERVICE_HOST"] = host
        result[f"{name}_SERVICE_PORT"] = str(service.spec.ports[0].port)
        for port in service.spec.ports:
            if port.name:
                result[f"{name}_SERVICE_PORT_{port.name.upper().replace('-', '_')}"] = str(port.port)
        for at, port in enumerate(service.spec.ports):
            protocol = (port.protocol or "TCP").lower()
            url = f"{protocol}://{shown}:{port.port}"
            prefix = f"{name}_PORT_{port.port}_{protocol.upper()}"
            if at == 0:
                result[f"{name}_PORT"] = url
            result |= {
                prefix: url,
                f"{prefix}_PROTO": protocol,
                f"{prefix}_PORT": str(port.port),
                f"{prefix}_ADDR": host,
            }
    return result


def visible_services(services: Iterable[core_v1.Service], pod: core_v1.Pod) -> list[core_v1.Service]:
    """The API server's Service always, the namespace's others with enableServiceLinks; by name."""
    links = pod.spec.enableServiceLinks is not False
    found = {
        service.metadata.name: service
        for service in services
        if service.metadata.namespace == "default" and service.metadata.name == "kubernetes"
    }
    if links:
        found |= {s.metadata.name: s for s in services if s.metadata.namespace == pod.metadata.namespace}
    return [found[name] for name in sorted(found)]


async def build(
    pod: core_v1.Pod,
    container: labels.AnyContainer,
    *,
    services: Mapping[str, str],
    source: Source,
    facts: downward.Facts,
) -> dict[str, str]:
    """The variables. Raises ConfigError."""
    result: dict[str, str] = {}
    namespace = pod.metadata.namespace
    for origin in container.envFrom:
        result |= {f"{origin.prefix}{key}": text for key, text in (await _all_of(origin, namespace, source)).items()}
    # References see the Services' variables, but the container's own settings win over them.
    known = {**services, **result}
    for variable in container.env:
        if variable.valueFrom is None:
            text: str | None = expansion.expand(variable.value, known)
        else:
            text = await _referred(pod, container, variable.valueFrom, source=source, facts=facts)
        if text is not None:
            result[variable.name] = known[variable.name] = text
    return {**{name: text for name, text in services.items() if name not in result}, **result}


async def _all_of(origin: core_v1.EnvFromSource, namespace: str, source: Source) -> dict[str, str]:
    if origin.configMapRef is not None:
        config_map = await source.config_map(namespace, origin.configMapRef.name)
        if config_map is not None:
            return dict(config_map.data)
        if not origin.configMapRef.optional:
            raise ConfigError(f'configmap "{origin.configMapRef.name}" not found')
    if origin.secretRef is not None:
        secret = await source.secret(namespace, origin.secretRef.name)
        if secret is not None:
            return {key: _text(value) for key, value in secret.data.items()}
        if not origin.secretRef.optional:
            raise ConfigError(f'secret "{origin.secretRef.name}" not found')
    return {}


def _text(encoded: str) -> str:
    return base64.b64decode(encoded).decode("utf-8", "surrogateescape")


async def _referred(
    pod: core_v1.Pod,
    container: labels.AnyContainer,
    reference: core_v1.EnvVarSource,
    *,
    source: Source,
    facts: downward.Facts,
) -> str | None:
    """The value; None where an optional reference leads nowhere."""
    namespace, shown = pod.metadata.namespace, f"{pod.metadata.namespace}/"
    try:
        if reference.fieldRef is not None:
            return downward.field_value(pod, reference.fieldRef.fieldPath, facts)
        if reference.resourceFieldRef is not None:
            return downward.resource_value(pod, reference.resourceFieldRef, facts, container)
    except downward.Unsupported as error:
        raise ConfigError(str(error)) from None
    if (key := reference.configMapKeyRef) is not None:
        config_map = await source.config_map(namespace, key.name)
        if config_map is not None and key.key in config_map.data:
            return config_map.data[key.key]
        if key.optional:
            return None
        if config_map is None:
            raise ConfigError(f'configmap "{key.name}" not found')
        raise ConfigError(f"couldn't find key {key.key} in ConfigMap {shown}{key.name}")
    if (wanted := reference.secretKeyRef) is not None:
        secret = await source.secret(namespace, wanted.name)
        if secret is not None and wanted.key in secret.data:
            return _text(secret.data[wanted.key])
        if wanted.optional:
            return None
        if secret is None:
            raise ConfigError(f'secret "{wanted.name}" not found')
        raise ConfigError(f"couldn't find key {wanted.key} in Secret {shown}{wanted.name}")
    return None
