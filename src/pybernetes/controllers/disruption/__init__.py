"""PodDisruptionBudgets: how many pods may go at the moment."""

from pybernetes.controllers.disruption.controller import Disruption as Disruption
