"""A runtime in which pods "run" as scripts in time: no root, no processes, thousands of nodes in one process."""

from pybernetes.runtime.simulated.runtime import Simulated as Simulated
