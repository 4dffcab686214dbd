"""What the kinds that keep pods from a template have in common: their selectors, their templates, their roll-outs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pybernetes.api import fields, intstr, names, selectors
from pybernetes.api.types import core_v1, meta_v1
from pybernetes.apiserver.resources import cells, checks, kind
from pybernetes.apiserver.resources.core import pod_spec, pod_validation, pod_warnings

SPEC = fields.Path("spec")
STATUS = fields.Path("status")


def default_template(template: core_v1.PodTemplateSpec) -> None:
    pod_spec.default(template.spec)


def selector_and_template(
    selector: meta_v1.LabelSelector | None,
    template: core_v1.PodTemplateSpec,
    *,
    of: str,
    owner: str,
) -> checks.Errors:
    """A selector that selects something, and a template whose pods it selects and that run for ever.

    `of` is what an empty selector is invalid for, `owner` the kind that deadlines are not supported in.
    """
    path = SPEC["template"]
    problems: checks.Errors = []
    if selector is None:
        problems.append(fields.required(SPEC["selector"]))
    else:
        problems += checks.selector(selector, SPEC["selector"])
        if not selector.matchLabels and not selector.matchExpressions:
            words = f"empty selector is invalid for {of}"
            problems.append(fields.invalid(SPEC["selector"], selector, words))
    try:
        compiled = selectors.from_object(selector)
    except selectors.SelectorError:
        return [*problems, fields.invalid(SPEC["selector"], selector, "invalid label selector")]
    if not compiled.empty and not compiled.matches(template.metadata.labels):
        problems.append(mismatch(template, path))
    problems += pod_validation.template(template, path)
    return problems + runs_for_ever(template, path, owner)


def mismatch(template: core_v1.PodTemplateSpec, path: fields.Path) -> fields.FieldError:
    words = "`selector` does not match template `labels`"
    return fields.invalid(path["metadata"]["labels"], template.metadata.labels or None, words)


def runs_for_ever(template: core_v1.PodTemplateSpec, path: fields.Path, owner: str) -> checks.Errors:
    problems: checks.Errors = []
    if template.spec.restartPolicy != "Always":
        at = path["spec"]["restartPolicy"]
        problems.append(fields.not_supported(at, template.spec.restartPolicy, ("Always",)))
    if template.spec.activeDeadlineSeconds is not None:
        words = f"activeDeadlineSeconds in {owner} is not Supported"
        problems.append(fields.forbidden(path["spec"]["activeDeadlineSeconds"], words))
    return problems


def int_or_percent(value: int | str, path: fields.Path) -> checks.Errors:
    if isinstance(value, int):
        return checks.not_negative(value, path)
    return checks.named(value, names.percent, path)


def at_most_all(value: int | str, path: fields.Path) -> checks.Errors:
    """A percentage is at most 100."""
    share = intstr.percent(value)
    if share is None or share <= 100:
        return []
    return [fields.invalid(path, value, "must not be greater than 100%")]


def is_zero(value: int | str | None) -> bool:
    return value is None or value == 0 or intstr.percent(value) == 0


def counts(status: Any, names_: Sequence[str]) -> checks.Errors:
    """Counters of a status are not negative."""
    problems: checks.Errors = []
    for name in names_:
        problems += checks.not_negative(getattr(status, name), STATUS[name])
    return problems


def at_most(status: Any, name: str, limit: str, words: str) -> checks.Errors:
    """One counter is within another."""
    if getattr(status, name) > getattr(status, limit):
        return [fields.invalid(STATUS[name], getattr(status, name), words)]
    return []


def set_status(status: Any, *others: str) -> checks.Errors:
    """The counters of a ReplicaSet or ReplicationController, within each other; `others` are counters, too."""
    within = ("fullyLabeledReplicas", "readyReplicas", "availableReplicas")
    problems = counts(status, ("replicas", *within, "observedGeneration", *others))
    for name in within:
        problems += at_most(status, name, "replicas", "cannot be greater than status.replicas")
    return problems + at_most(status, "availableReplicas", "readyReplicas", "cannot be greater than readyReplicas")


def same_selector(new: Any, old: Any) -> checks.Errors:
    """A selector is for life."""
    return checks.immutable(new.spec.selector, old.spec.selector, SPEC["selector"])


def collisions(new: Any, old: Any) -> checks.Errors:
    """The hash collision counter only grows."""
    if old.status.collisionCount is None:
        return []
    count = new.status.collisionCount
    if count is None or count < old.status.collisionCount:
        return [fields.invalid(STATUS["collisionCount"], count or 0, "cannot be decremented")]
    return []


def replicas_label(obj: Any) -> Mapping[str, str]:
    """What field selectors may ask of a kind that counts its replicas."""
    return {"status.replicas": str(obj.status.replicas)}


SET_COLUMNS = (
    kind.NAME,
    kind.Column("Desired", type="integer"),
    kind.Column("Current", type="integer"),
    kind.Column("Ready", type="integer"),
    kind.AGE,
    cells.CONTAINERS,
    cells.IMAGES,
    cells.SELECTOR,
)


def template_warnings(obj: Any) -> Sequence[str]:
    return pod_warnings.spec_warnings(obj.spec.template.spec, "spec.template.spec")


def _set_replicas(obj: Any, replicas: int) -> None:
    obj.spec.replicas = replicas


def _selector_text(obj: Any) -> str:
    return str(selectors.from_object(obj.spec.selector))


def scale(selector: Callable[[Any], str] = _selector_text) -> kind.Scale:
    """The Scale of a kind with spec.replicas and status.replicas."""
    return kind.Scale(
        replicas=lambda obj: obj.spec.replicas or 0,
        set_replicas=_set_replicas,
        status_replicas=lambda obj: obj.status.replicas,
        selector=selector,
    )
