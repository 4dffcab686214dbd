"""What a component that is no API server serves itself: health, metrics, its configuration, and looks into it."""

from pybernetes.cluster.hyperkube.ports.port import Port as Port
from pybernetes.cluster.hyperkube.ports.port import serve as serve
from pybernetes.cluster.hyperkube.ports.shown import Shown as Shown
