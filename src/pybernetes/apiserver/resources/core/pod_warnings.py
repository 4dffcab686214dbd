"""What a pod may say but had better not: texts for `Warning` headers."""

from __future__ import annotations

from pybernetes.api.types import core_v1


def warnings(pod: core_v1.Pod) -> list[str]:
    return spec_warnings(pod.spec, "spec")


def spec_warnings(spec: core_v1.PodSpec, path: str) -> list[str]:
    """Of a pod or of a template, at that path."""
    texts: list[str] = []
    for index, alias in enumerate(spec.hostAliases):
        if alias.ip in {earlier.ip for earlier in spec.hostAliases[:index]}:
            texts.append(f'{path}.hostAliases[{index}].ip: duplicate ip "{alias.ip}"')
    for index, secret in enumerate(spec.imagePullSecrets):
        if not secret.name:
            texts.append(f'{path}.imagePullSecrets[{index}].name: invalid empty name ""')
    for label in ("beta.kubernetes.io/arch", "beta.kubernetes.io/os"):
        if label in spec.nodeSelector:
            stable = label.replace("beta.", "")
            texts.append(f'{path}.nodeSelector[{label}]: deprecated since v1.14; use "{stable}" instead')
    for part in ("initContainers", "containers"):
        for index, container in enumerate(getattr(spec, part)):
            texts += _container(container, f"{path}.{part}[{index}]")
    return texts


def _container(container: core_v1.Container, path: str) -> list[str]:
    texts: list[str] = []
    for part in ("limits", "requests"):
        for name in ("memory", "ephemeral-storage"):
            amount = getattr(container.resources, part).get(name)
            if amount is not None and amount.value().denominator != 1:
                texts.append(
                    f'{path}.resources.{part}[{name}]: fractional byte value "{amount}" is invalid, must be an integer'
                )
    seen: set[str] = set()
    for index, variable in enumerate(container.env):
        if variable.name in seen:
            texts.append(
                f'{path}.env[{index}]: hides previous definition of "{variable.name}", '
                "which may be dropped when using apply"
            )
        seen.add(variable.name)
    ports = [(port.containerPort, port.protocol or "TCP") for port in container.ports]
    for index, port in enumerate(ports):
        if port in ports[:index]:
            texts.append(f"{path}.ports[{index}]: duplicate port definition with {path}.ports[{ports.index(port)}]")
    return texts
