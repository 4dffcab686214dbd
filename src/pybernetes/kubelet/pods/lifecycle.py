"""Lifecycle hooks: what a container asks to be done after its start and before its end."""

from __future__ import annotations

from pybernetes.api.types import core_v1
from pybernetes.kits import clock as clocks
from pybernetes.kubelet.containers import labels
from pybernetes.kubelet.probes import handlers
from pybernetes.runtime import protocol

AGENT = "kube-lifecycle/1.36"
# A postStart hook has no time limit of its own; this bounds a single HTTP request.
HTTP_TIMEOUT = 60.0


class HookFailed(Exception):
    """The hook did not succeed; the message is for the event."""


async def run(
    hook: core_v1.LifecycleHandler,
    container: labels.AnyContainer,
    container_id: str,
    *,
    runtime: protocol.Runtime,
    ip: str,
    clock: clocks.Clock,
) -> None:
    """Run it to its end. Raises HookFailed."""
    if hook.sleep is not None:
        await clock.sleep(hook.sleep.seconds)
        return
    try:
        if hook.exec is not None:
            outcome = await handlers.run_command(runtime, container_id, hook.exec.command, timeout=0)
            shown = f'Exec lifecycle hook ({_go_list(hook.exec.command)}) for Container "{container.name}" failed'
        elif hook.httpGet is not None:
            port = handlers.port_number(hook.httpGet.port or 80, container)
            outcome = await handlers.get_http(hook.httpGet, ip, port, timeout=HTTP_TIMEOUT, agent=AGENT)
            shown = f'HTTP lifecycle hook ({hook.httpGet.path}) for Container "{container.name}" failed'
        else:
            return
    except (protocol.Error, ValueError, OSError) as error:
        raise HookFailed(str(error)) from None
    if not outcome.success:
        raise HookFailed(f"{shown}: {outcome.output}".rstrip(": "))


def _go_list(words: list[str]) -> str:
    return "[" + " ".join(words) + "]"
