"""ReplicationControllers: the first form of ReplicaSets, seen as such."""

from __future__ import annotations

from pybernetes.api import codecs, selectors
from pybernetes.api.types import apps_v1, core_v1, meta_v1
from pybernetes.controllers.context import Context
from pybernetes.controllers.replicaset import controller


def _as_set(replication: core_v1.ReplicationController) -> apps_v1.ReplicaSet:
    spec, status = replication.spec, replication.status
    return apps_v1.ReplicaSet(
        metadata=replication.metadata,
        spec=apps_v1.ReplicaSetSpec(
            replicas=spec.replicas,
            minReadySeconds=spec.minReadySeconds,
            selector=meta_v1.LabelSelector(matchLabels=spec.selector),
            template=spec.template or core_v1.PodTemplateSpec(),
        ),
        status=apps_v1.ReplicaSetStatus(
            replicas=status.replicas,
            fullyLabeledReplicas=status.fullyLabeledReplicas,
            readyReplicas=status.readyReplicas,
            availableReplicas=status.availableReplicas,
            observedGeneration=status.observedGeneration,
            conditions=[
                apps_v1.ReplicaSetCondition(
                    type=c.type,
                    status=c.status,
                    reason=c.reason,
                    message=c.message,
                    lastTransitionTime=c.lastTransitionTime,
                )
                for c in status.conditions
            ],
        ),
    )


def _with_status(
    replication: core_v1.ReplicationController, status: apps_v1.ReplicaSetStatus
) -> core_v1.ReplicationController:
    copy = codecs.copy(replication)
    copy.status = core_v1.ReplicationControllerStatus(
        replicas=status.replicas,
        fullyLabeledReplicas=status.fullyLabeledReplicas,
        readyReplicas=status.readyReplicas,
        availableReplicas=status.availableReplicas,
        observedGeneration=status.observedGeneration,
        conditions=[
            core_v1.ReplicationControllerCondition(
                type=c.type,
                status=c.status,
                reason=c.reason,
                message=c.message,
                lastTransitionTime=c.lastTransitionTime,
            )
            for c in status.conditions
        ],
    )
    return copy


KIND = controller.Kind(
    type=core_v1.ReplicationController,
    name="ReplicationController",
    component="replication-controller",
    selector=lambda replication: selectors.from_set(replication.spec.selector),
    as_set=_as_set,
    status_of=_with_status,
    counts_terminating=False,
)


def controller_for(context: Context) -> controller.ReplicaSets:
    return controller.ReplicaSets(context, KIND)
