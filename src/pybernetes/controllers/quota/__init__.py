"""ResourceQuotas: what a namespace uses."""

from pybernetes.controllers.quota.controller import ResourceQuotas as ResourceQuotas
