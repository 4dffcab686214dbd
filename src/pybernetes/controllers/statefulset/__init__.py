"""StatefulSets: pods with names and volumes that stay theirs."""

from pybernetes.controllers.statefulset.controller import StatefulSets as StatefulSets
