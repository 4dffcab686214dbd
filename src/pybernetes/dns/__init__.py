"""The cluster's DNS: Services and their endpoints by name; other names are asked of the node's own servers."""

from pybernetes.dns.server import DNS as DNS
from pybernetes.dns.server import Settings as Settings
