"""Deployments and their kin under the names of 2017, with the defaults of that time: selectors follow from labels."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from pybernetes.api.types import apps_v1, meta_v1
from pybernetes.apiserver.resources import kind, views
from pybernetes.apiserver.resources.apps import daemonsets, deployments, replicasets, statefulsets

_UNLIMITED = 2**31 - 1


def from_labels(obj: Any) -> None:
    """What is left out of the selector and of the object's own labels is those of the template."""
    labels = obj.spec.template.metadata.labels
    if not labels:
        return
    if obj.spec.selector is None:
        obj.spec.selector = meta_v1.LabelSelector(matchLabels=dict(labels))
    if not obj.metadata.labels:
        obj.metadata.labels = dict(labels)


def _deployment(obj: Any, *, step: int | str, history: int, deadline: int) -> None:
    spec = obj.spec
    from_labels(obj)
    if spec.revisionHistoryLimit is None:
        spec.revisionHistoryLimit = history
    if spec.progressDeadlineSeconds is None:
        spec.progressDeadlineSeconds = deadline
    strategy = spec.strategy
    if strategy.type in ("", "RollingUpdate"):
        strategy.rollingUpdate = strategy.rollingUpdate or apps_v1.RollingUpdateDeployment()
        for name in ("maxUnavailable", "maxSurge"):
            if getattr(strategy.rollingUpdate, name) is None:
                setattr(strategy.rollingUpdate, name, step)


def _on_delete(obj: Any) -> None:
    """Pods were not replaced by themselves then."""
    from_labels(obj)
    obj.spec.updateStrategy.type = obj.spec.updateStrategy.type or "OnDelete"


def _extensions(base: kind.Kind[Any], default: Callable[[Any], None]) -> kind.Kind[Any]:
    return views.alike(base, "v1beta1", group="extensions", default=default)


_deployment_then = functools.partial(_deployment, step=1, history=_UNLIMITED, deadline=_UNLIMITED)
_deployment_later = functools.partial(_deployment, step="25%", history=2, deadline=600)

EXTENSIONS_DAEMONSETS = _extensions(daemonsets.KIND, _on_delete)
EXTENSIONS_DEPLOYMENTS = _extensions(deployments.KIND, _deployment_then)
EXTENSIONS_REPLICASETS = _extensions(replicasets.KIND, from_labels)
APPS1_DEPLOYMENTS = views.alike(deployments.KIND, "v1beta1", default=_deployment_later)
APPS1_STATEFULSETS = views.alike(statefulsets.KIND, "v1beta1", default=_on_delete)
APPS2_DAEMONSETS = views.alike(daemonsets.KIND, "v1beta2")
APPS2_DEPLOYMENTS = views.alike(deployments.KIND, "v1beta2")
APPS2_REPLICASETS = views.alike(replicasets.KIND, "v1beta2")
APPS2_STATEFULSETS = views.alike(statefulsets.KIND, "v1beta2")
