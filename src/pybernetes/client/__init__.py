"""REST client: `Client` over one of two transports, HTTPS or in-process loopback."""

from pybernetes.client.client import Client as Client
from pybernetes.client.client import resource_of as resource_of
from pybernetes.client.transport import APPLY_PATCH as APPLY_PATCH
from pybernetes.client.transport import JSON_PATCH as JSON_PATCH
from pybernetes.client.transport import MERGE_PATCH as MERGE_PATCH
from pybernetes.client.transport import STRATEGIC_PATCH as STRATEGIC_PATCH
from pybernetes.client.transport import Call as Call
from pybernetes.client.transport import Event as Event
from pybernetes.client.transport import Listing as Listing
from pybernetes.client.transport import Transport as Transport
from pybernetes.client.transport import WatchStream as WatchStream
