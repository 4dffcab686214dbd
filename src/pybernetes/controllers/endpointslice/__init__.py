"""EndpointSlices for Services that have a selector."""

from pybernetes.controllers.endpointslice.controller import EndpointSlices as EndpointSlices
from pybernetes.controllers.endpointslice.mirroring import Mirroring as Mirroring
