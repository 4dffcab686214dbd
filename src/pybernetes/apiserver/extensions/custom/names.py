"""What definitions of one group may be called: the first to claim a name has it until it lets go of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pybernetes.api import codecs, wording
from pybernetes.api.types import apiextensions_v1

Names = apiextensions_v1.CustomResourceDefinitionNames
Condition = apiextensions_v1.CustomResourceDefinitionCondition
Definition = apiextensions_v1.CustomResourceDefinition

NAMES_ACCEPTED, ESTABLISHED, TERMINATING = "NamesAccepted", "Established", "Terminating"
APPROVED = "KubernetesAPIApprovalPolicyConformant"


class Decision(NamedTuple):
    """The names a definition has now, and whether they are all that it asked for."""

    accepted: Names
    condition: Condition


def decide(definition: Definition, others: Iterable[Definition]) -> Decision:
    """`others` are the definitions of the same group."""
    resources: set[str] = set()
    kinds: set[str] = set()
    for other in (*others, definition):
        held = other.status.acceptedNames
        resources.update((held.plural, held.singular, *held.shortNames))
        kinds.update((held.kind, held.listKind))
    wanted, mine = definition.spec.names, definition.status.acceptedNames
    accepted = codecs.copy(mine)
    conflict: tuple[str, str] | None = None
    for field, reason, taken in (
        ("plural", "PluralConflict", resources),
        ("singular", "SingularConflict", resources),
        ("shortNames", "ShortNamesConflict", resources),
        ("kind", "KindConflict", kinds),
        ("listKind", "ListKindConflict", kinds),
    ):
        asked, held = getattr(wanted, field), getattr(mine, field)
        listed = asked if isinstance(asked, list) else [asked]
        own = held if isinstance(held, list) else [held]
        clashes = [f'"{name}" is already in use' for name in listed if name not in own and name in taken]
        if clashes:
            conflict = reason, wording.aggregate(clashes)
        else:
            setattr(accepted, field, asked)
    accepted.categories = wanted.categories
    if conflict is None:
        return Decision(accepted, condition(NAMES_ACCEPTED, True, "NoConflicts", "no conflicts found"))
    reason, message = conflict
    return Decision(accepted, condition(NAMES_ACCEPTED, False, reason, message))


def condition(kind: str, holds: bool, reason: str, message: str) -> Condition:
    return Condition(type=kind, status="True" if holds else "False", reason=reason, message=message)


def find(conditions: Sequence[Condition], kind: str) -> Condition | None:
    return next((condition for condition in conditions if condition.type == kind), None)


def is_true(definition: Definition, kind: str) -> bool:
    found = find(definition.status.conditions, kind)
    return found is not None and found.status == "True"


def set_condition(definition: Definition, wanted: Condition, time: str) -> None:
    """Keeps the time of the last transition where the status stays."""
    known = find(definition.status.conditions, wanted.type)
    if known is None:
        wanted.lastTransitionTime = time
        definition.status.conditions = [*definition.status.conditions, wanted]
        return
    if known.status != wanted.status or known.lastTransitionTime is None:
        known.lastTransitionTime = time
    known.status, known.reason, known.message = wanted.status, wanted.reason, wanted.message
