"""EndpointSlices for Services that have a selector."""

from pybernetes.controllers.endpointslice.controller import EndpointSlices as EndpointSlices
