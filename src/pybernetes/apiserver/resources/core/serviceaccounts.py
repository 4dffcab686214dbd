"""ServiceAccounts."""

from __future__ import annotations

from collections.abc import Sequence

from pybernetes.api.types import core_v1
from pybernetes.apiserver.resources import cells, kind


def row(account: core_v1.ServiceAccount, now: float) -> Sequence[kind.Cell]:
    return account.metadata.name, cells.age(account.metadata, now)


KIND: kind.Kind[core_v1.ServiceAccount] = kind.Kind(
    resource=kind.resource("", "v1", "serviceaccounts"),
    columns=(kind.NAME, kind.AGE),
    row=row,
)
