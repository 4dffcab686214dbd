"""What the probes of a simulated container would say, by its script. Pure; times are seconds after its start."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from pybernetes.api.types import core_v1
from pybernetes.kubelet.containers import labels
from pybernetes.runtime.simulated import scripts


def answers(images: scripts.Images) -> Callable[[core_v1.Pod, labels.AnyContainer, str, float], bool]:
    """For a kubelet: whether a probe of that kind succeeds, so many seconds after the container's start."""

    def answer(pod: core_v1.Pod, container: labels.AnyContainer, kind: str, seconds: float) -> bool:
        script = scripts.script_of(
            [*container.command, *container.args],
            image=container.image,
            annotations=pod.metadata.annotations,
            container=container.name,
            images=images,
        )
        match kind:
            case "startup":
                return seconds >= script.startup
            case "liveness":
                return script.liveness_fails is None or seconds < script.liveness_fails
        return script.is_ready(seconds)

    return answer


def _period(probe: core_v1.Probe) -> float:
    return float(probe.periodSeconds or 10)


def _patience(probe: core_v1.Probe) -> float:
    """From its first failure until it counts."""
    return _period(probe) * ((probe.failureThreshold or 3) - 1)


def _refuses(probe: core_v1.Probe) -> bool:
    """Whether its command is one that is known to fail."""
    return probe.exec is not None and scripts.of(probe.exec.command).exit_code() != 0


def startup(container: labels.AnyContainer, script: scripts.Script) -> tuple[float, bool]:
    """When the startup probe is through with the container, and whether it let it pass."""
    probe = container.startupProbe
    if probe is None:
        return 0.0, True
    first = float(probe.initialDelaySeconds)
    given_up = first + _patience(probe)
    passes = max(first, script.startup)
    if _refuses(probe) or passes > given_up:
        return given_up, False
    return passes, True


def is_started(container: labels.AnyContainer, script: scripts.Script, seconds: float) -> bool:
    at, passed = startup(container, script)
    return passed and seconds >= at


def is_ready(container: labels.AnyContainer, script: scripts.Script, seconds: float) -> bool:
    if not is_started(container, script, seconds):
        return False
    probe = container.readinessProbe
    if probe is not None and (_refuses(probe) or seconds < probe.initialDelaySeconds):
        return False
    return script.is_ready(seconds)


def killed_by(container: labels.AnyContainer, script: scripts.Script) -> tuple[str, float] | None:
    """The probe that ends the container, and when; None if none does."""
    at, passed = startup(container, script)
    if not passed:
        return "startup", at
    probe = container.livenessProbe
    if probe is None:
        return None
    fails = script.liveness_fails
    if _refuses(probe):
        fails = 0.0
    if fails is None:
        return None
    return "liveness", max(fails, at, float(probe.initialDelaySeconds)) + _patience(probe)


def changes(container: labels.AnyContainer, script: scripts.Script, seconds: float) -> Iterator[float]:
    """When, after that time, one of the answers above may be another."""
    at, _ = startup(container, script)
    if at > seconds:
        yield at
    killed = killed_by(container, script)
    if killed is not None and killed[1] > seconds:
        yield killed[1]
    probe = container.readinessProbe
    if probe is not None and probe.initialDelaySeconds > seconds:
        yield float(probe.initialDelaySeconds)
    flip = script.next_flip(seconds)
    if flip is not None:
        yield flip
