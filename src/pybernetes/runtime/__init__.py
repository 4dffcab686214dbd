"""Container runtimes behind one Protocol: `runtime.cri` (real containers), `runtime.simulated` (scripts in time)."""

from pybernetes.runtime.protocol import Error as Error
from pybernetes.runtime.protocol import NotFound as NotFound
from pybernetes.runtime.protocol import Runtime as Runtime
from pybernetes.runtime.protocol import Unavailable as Unavailable
