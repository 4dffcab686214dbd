"""The cluster's DNS: Services and their endpoints by name; other names are asked of the node's own servers."""

from pybernetes.network.dns.server import DNS as DNS
from pybernetes.network.dns.server import Settings as Settings
