"""PriorityLevelConfigurations: how much of the server's concurrency a class of requests gets."""

from __future__ import annotations

import math
from collections.abc import Sequence

from pybernetes.api import codecs, fields
from pybernetes.api.types import flowcontrol_v1
from pybernetes.apiserver.resources import cells, checks, kind
from pybernetes.apiserver.resources.flowcontrol import flowschemas, mandatory

_SPEC = fields.Path("spec")
_OLD_ANNOTATION = "flowcontrol.k8s.io/preserve-zero-concurrency-shares"
_MAX_QUEUES = 10_000_000
_MAX_HASH_BITS = 60


def default(level: flowcontrol_v1.PriorityLevelConfiguration) -> None:
    exempt, limited = level.spec.exempt, level.spec.limited
    if exempt is not None:
        exempt.nominalConcurrencyShares = exempt.nominalConcurrencyShares or 0
        exempt.lendablePercent = exempt.lendablePercent or 0
    if limited is None:
        return
    if limited.nominalConcurrencyShares is None:
        limited.nominalConcurrencyShares = 30
    limited.lendablePercent = limited.lendablePercent or 0
    queuing = limited.limitResponse.queuing
    if queuing is not None:
        queuing.handSize = queuing.handSize or 8
        queuing.queues = queuing.queues or 64
        queuing.queueLengthLimit = queuing.queueLengthLimit or 50


def validate(level: flowcontrol_v1.PriorityLevelConfiguration) -> checks.Errors:
    problems: checks.Errors = []
    if _OLD_ANNOTATION in level.metadata.annotations:
        path = fields.Path("metadata")["annotations"]
        problems.append(fields.forbidden(path, f"annotation '{_OLD_ANNOTATION}' is forbidden"))
    return problems + _spec(level.spec, level.metadata.name) + _fixed(level)


def _fixed(level: flowcontrol_v1.PriorityLevelConfiguration) -> checks.Errors:
    name, spec = level.metadata.name, level.spec
    if name not in mandatory.MANDATORY:
        return []
    wanted = next(item.spec for item in mandatory.priority_levels() if item.metadata.name == name)
    if name == "exempt":
        compared = codecs.copy(spec)
        compared.exempt = wanted.exempt
        words = f"spec of '{name}' except the 'spec.exempt' field must equal the fixed value"
        return [] if checks.same(compared, wanted) else [fields.invalid(_SPEC, spec, words)]
    words = f"spec of '{name}' must equal the fixed value"
    return [] if checks.same(spec, wanted) else [fields.invalid(_SPEC, spec, words)]


def _spec(spec: flowcontrol_v1.PriorityLevelConfigurationSpec, name: str) -> checks.Errors:
    problems: checks.Errors = []
    if (name == "exempt") != (spec.type == "Exempt"):
        words = "must be 'Exempt' if and only if `name` is 'exempt'"
        problems.append(fields.invalid(_SPEC["type"], spec.type, words))
    if spec.type == "Exempt":
        if spec.limited is not None:
            words = "must be nil if the type is not Limited"
            problems.append(fields.forbidden(_SPEC["limited"], words))
        if spec.exempt is not None:
            problems += _shares(spec.exempt, _SPEC["exempt"])
    elif spec.type == "Limited":
        if spec.exempt is not None:
            problems.append(fields.forbidden(_SPEC["exempt"], "must be nil if the type is Limited"))
        if spec.limited is None:
            problems.append(fields.required(_SPEC["limited"], "must not be empty when type is Limited"))
        else:
            problems += _limited(spec.limited, _SPEC["limited"])
    else:
        problems.append(fields.not_supported(_SPEC["type"], spec.type, ("Exempt", "Limited")))
    return problems


def _shares(
    part: flowcontrol_v1.ExemptPriorityLevelConfiguration | flowcontrol_v1.LimitedPriorityLevelConfiguration,
    path: fields.Path,
) -> checks.Errors:
    problems: checks.Errors = []
    shares, lendable = part.nominalConcurrencyShares, part.lendablePercent
    if shares is not None and shares < 0:
        problems.append(fields.invalid(path["nominalConcurrencyShares"], shares, "must be a non-negative integer"))
    if lendable is not None and not 0 <= lendable <= 100:
        words = "must be between 0 and 100, inclusive"
        problems.append(fields.invalid(path["lendablePercent"], lendable, words))
    return problems


def _limited(limited: flowcontrol_v1.LimitedPriorityLevelConfiguration, path: fields.Path) -> checks.Errors:
    problems = _shares(limited, path)
    response, at = limited.limitResponse, path["limitResponse"]
    if response.type == "Reject":
        if response.queuing is not None:
            words = "must be nil if limited.limitResponse.type is not Limited"
            problems.append(fields.forbidden(at["queuing"], words))
    elif response.type == "Queue":
        if response.queuing is None:
            words = "must not be empty if limited.limitResponse.type is Limited"
            problems.append(fields.required(at["queuing"], words))
        else:
            problems += _queuing(response.queuing, at["queuing"])
    else:
        problems.append(fields.not_supported(at["type"], response.type, ("Queue", "Reject")))
    borrowing = limited.borrowingLimitPercent
    if borrowing is not None and borrowing < 0:
        words = "if specified, must be a non-negative integer"
        problems.append(fields.invalid(path["borrowingLimitPercent"], borrowing, words))
    return problems


def _queuing(queuing: flowcontrol_v1.QueuingConfiguration, path: fields.Path) -> checks.Errors:
    problems: checks.Errors = []
    if queuing.queueLengthLimit <= 0:
        problems.append(fields.invalid(path["queueLengthLimit"], queuing.queueLengthLimit, "must be positive"))
    if queuing.queues <= 0:
        problems.append(fields.invalid(path["queues"], queuing.queues, "must be positive"))
    elif queuing.queues > _MAX_QUEUES:
        words = f"must not be greater than {_MAX_QUEUES}"
        problems.append(fields.invalid(path["queues"], queuing.queues, words))
    hand = queuing.handSize
    if hand <= 0:
        words = "must be positive"
    elif hand > queuing.queues:
        words = f"should not be greater than queues ({queuing.queues})"
    elif math.ceil(math.log2(queuing.queues) * hand) > _MAX_HASH_BITS:
        # So many bits a request's hash has to tell hands apart.
        words = f"required entropy bits of deckSize {queuing.queues} and handSize {hand} should not be greater than "
        words += str(_MAX_HASH_BITS)
    else:
        return problems
    return [*problems, fields.invalid(path["handSize"], hand, words)]


def row(level: flowcontrol_v1.PriorityLevelConfiguration, now: float) -> Sequence[kind.Cell]:
    shares: kind.Cell = "<none>"
    queues: tuple[kind.Cell, ...] = ("<none>", "<none>", "<none>")
    limited = level.spec.limited
    if limited is not None:
        shares = limited.nominalConcurrencyShares or 0
        queuing = limited.limitResponse.queuing
        if queuing is not None:
            queues = queuing.queues, queuing.handSize, queuing.queueLengthLimit
    return level.metadata.name, level.spec.type, shares, *queues, cells.age(level.metadata, now)


KIND: kind.Kind[flowcontrol_v1.PriorityLevelConfiguration] = kind.Kind(
    resource=kind.resource("flowcontrol.apiserver.k8s.io", "v1", "prioritylevelconfigurations"),
    default=default,
    validate=validate,
    validate_status=flowschemas.validate_status,
    has_status=True,
    spec_of=lambda level: level.spec,
    columns=(
        kind.NAME,
        kind.Column("Type"),
        kind.Column("NominalConcurrencyShares"),
        kind.Column("Queues"),
        kind.Column("HandSize"),
        kind.Column("QueueLengthLimit"),
        kind.AGE,
    ),
    row=row,
)
