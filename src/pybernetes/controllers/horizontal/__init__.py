"""HorizontalPodAutoscalers: as many pods as metrics ask for, within limits and no faster than allowed."""

from pybernetes.controllers.horizontal.controller import Autoscalers as Autoscalers
