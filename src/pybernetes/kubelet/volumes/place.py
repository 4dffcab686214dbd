"""What every volume plugin is given: whose volume it is, where it goes, and where content comes from."""

from __future__ import annotations

import pathlib
from dataclasses import dataclass

from pybernetes.api.types import core_v1
from pybernetes.kubelet import tokens as kubelet_tokens
from pybernetes.kubelet.containers import downward, environment


class VolumeError(Exception):
    """The volume cannot be set up now; the message goes into the FailedMount event."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """`folder` is the volume's own; `mounts` whether tmpfs and bind mounts may be made."""

    pod: core_v1.Pod
    folder: pathlib.Path
    source: environment.Source
    tokens: kubelet_tokens.Tokens
    facts: downward.Facts
    mounts: bool
    stamp: str

    @property
    def group(self) -> int | None:
        context = self.pod.spec.securityContext
        return None if context is None else context.fsGroup

    @property
    def user(self) -> int | None:
        """The one user that all containers run as, where they agree."""
        context = self.pod.spec.securityContext or core_v1.PodSecurityContext()
        users = {
            context.runAsUser
            if container.securityContext is None or container.securityContext.runAsUser is None
            else container.securityContext.runAsUser
            for container in [*self.pod.spec.initContainers, *self.pod.spec.containers]
        }
        return users.pop() if len(users) == 1 else None
