"""ReplicaSets, and ReplicationControllers, which are kept in the same way."""

from pybernetes.controllers.replicaset.controller import ReplicaSets as ReplicaSets
