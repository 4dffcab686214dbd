"""Many simulated nodes at once: one object plays all their pods by script, so that what rests costs nothing."""

from pybernetes.kubelet.fleet.fleet import Fleet as Fleet
from pybernetes.kubelet.fleet.nodes import Spec as Spec
