"""Services -> packet rules of this node: a pure planner, and nftables at the rim."""

from pybernetes.proxy.nftables import remove as remove
from pybernetes.proxy.proxy import Proxy as Proxy
from pybernetes.proxy.proxy import Settings as Settings
