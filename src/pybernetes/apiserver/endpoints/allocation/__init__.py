"""What services get from the cluster: cluster IPs from the ranges of the ServiceCIDRs, and node ports.

    a write of a service ─ allocator ─┬─ families      which IP families it is to have (pure)
                                      ├─ addresses     an IPAddress object for each cluster IP
                                      │    └─ ranges   what the ServiceCIDRs say
                                      └─ ports         derived from the stored services
                                           └─ spans    the next free number (pure)

`repair` looks at what has changed, and has `address_repair` and `port_repair` (both pure) say what is wrong with it.
"""

from pybernetes.apiserver.endpoints.allocation.allocation import Allocation as Allocation
from pybernetes.apiserver.endpoints.allocation.default_cidr import DefaultServiceCIDR as DefaultServiceCIDR
