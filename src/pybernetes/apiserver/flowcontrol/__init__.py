"""Priority and fairness: which requests run now, which wait their turn, and which are told to come back later.

A request is classified by FlowSchemas (`classify`), takes as many seats of its priority level as it is wide (`widths`),
and waits in one of the level's queues (`levels`) while there are none; how many seats a level has, `shares` says.
`fairness` puts it together; `inflight` is the plain limit for servers that run without.
"""

from pybernetes.apiserver.flowcontrol.dangling import Dangling as Dangling
from pybernetes.apiserver.flowcontrol.dump import Dumps as Dumps
from pybernetes.apiserver.flowcontrol.fairness import Fairness as Fairness
from pybernetes.apiserver.flowcontrol.inflight import InFlight as InFlight
from pybernetes.apiserver.flowcontrol.levels import Ticket as Ticket
