"""The plugins in the order in which they are asked, with upstream's weights."""

from __future__ import annotations

from pybernetes.scheduler.plugins import plugin
from pybernetes.scheduler.plugins.balanced_allocation import NodeResourcesBalancedAllocation
from pybernetes.scheduler.plugins.default_binder import DefaultBinder
from pybernetes.scheduler.plugins.dynamic_resources import DynamicResources
from pybernetes.scheduler.plugins.image_locality import ImageLocality
from pybernetes.scheduler.plugins.inter_pod_affinity import InterPodAffinity
from pybernetes.scheduler.plugins.node_affinity import NodeAffinity
from pybernetes.scheduler.plugins.node_name import NodeName
from pybernetes.scheduler.plugins.node_ports import NodePorts
from pybernetes.scheduler.plugins.node_resources_fit import NodeResourcesFit
from pybernetes.scheduler.plugins.node_unschedulable import NodeUnschedulable
from pybernetes.scheduler.plugins.node_volume_limits import NodeVolumeLimits
from pybernetes.scheduler.plugins.pod_topology_spread import PodTopologySpread
from pybernetes.scheduler.plugins.priority_sort import PrioritySort
from pybernetes.scheduler.plugins.scheduling_gates import SchedulingGates
from pybernetes.scheduler.plugins.taint_toleration import TaintToleration
from pybernetes.scheduler.plugins.volume_binding import VolumeBinding
from pybernetes.scheduler.plugins.volume_restrictions import VolumeRestrictions
from pybernetes.scheduler.plugins.volume_zone import VolumeZone

PLUGINS: tuple[type[plugin.Plugin], ...] = (
    SchedulingGates,
    PrioritySort,
    NodeUnschedulable,
    NodeName,
    TaintToleration,
    NodeAffinity,
    NodePorts,
    NodeResourcesFit,
    VolumeRestrictions,
    NodeVolumeLimits,
    VolumeBinding,
    VolumeZone,
    PodTopologySpread,
    InterPodAffinity,
    DynamicResources,
    NodeResourcesBalancedAllocation,
    ImageLocality,
    DefaultBinder,
)

# Stands for `preemption`, which needs more than plugins are told.
POST_FILTER = "DefaultPreemption"
