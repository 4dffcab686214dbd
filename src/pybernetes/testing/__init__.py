"""Test operators against a whole cluster in this process: `async with Cluster() as c`. See docs/testing.md."""

from pybernetes.runtime.simulated.scripts import Images as Images
from pybernetes.testing.background import BackgroundCluster as BackgroundCluster
from pybernetes.testing.calls import Call as Call
from pybernetes.testing.cluster import Cluster as Cluster
from pybernetes.testing.faults import Fault as Fault
from pybernetes.testing.snapshots import Snapshot as Snapshot
