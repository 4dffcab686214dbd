"""The seam of admission: a plugin may change what is written (`admit`) and refuse it (`validate`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from pybernetes.apiserver import request as requests
from pybernetes.apiserver.resources import kind as kinds

CREATE = "CREATE"
UPDATE = "UPDATE"
DELETE = "DELETE"


class Attributes(msgspec.Struct, kw_only=True):
    """What is about to happen. `obj` is ours to change in `admit`, None for deletions; `old` is shared, read-only."""

    operation: str
    kind: kinds.Kind[Any]
    namespace: str
    name: str
    user: requests.User
    subresource: str = ""
    obj: Any = None
    old: Any = None
    dry_run: bool = False


class Plugin(Protocol):
    """One admission plugin; it raises StatusError to refuse."""

    name: str

    async def admit(self, attributes: Attributes) -> None: ...

    async def validate(self, attributes: Attributes) -> None: ...


class Admission:
    """The plugins in their order."""

    def __init__(self, plugins: Sequence[Plugin]) -> None:
        self._plugins = plugins

    async def admit(self, attributes: Attributes) -> None:
        for plugin in self._plugins:
            await plugin.admit(attributes)

    async def validate(self, attributes: Attributes) -> None:
        for plugin in self._plugins:
            await plugin.validate(attributes)
