"""Pods whose devices have got a NoExecute taint that their claims do not tolerate, or no longer do, are evicted."""

from pybernetes.controllers.device_taints.controller import NAME as NAME
from pybernetes.controllers.device_taints.controller import DeviceTaints as DeviceTaints
