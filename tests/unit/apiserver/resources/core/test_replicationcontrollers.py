from __future__ import annotations

from pybernetes.api.types import core_v1
from pybernetes.apiserver.resources.core import replicationcontrollers


def test_counters_are_within_each_other() -> None:
    status = core_v1.ReplicationControllerStatus(replicas=3, readyReplicas=1, availableReplicas=2)
    controller = core_v1.ReplicationController(status=status)
    assert [str(problem) for problem in replicationcontrollers.validate_status(controller, controller)] == [
        "status.availableReplicas: Invalid value: 2: cannot be greater than readyReplicas"
    ]
