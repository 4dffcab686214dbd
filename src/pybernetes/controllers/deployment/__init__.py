"""Deployments: rolling and recreating updates, scaling, revisions, status."""

from pybernetes.controllers.deployment.controller import Deployments as Deployments
