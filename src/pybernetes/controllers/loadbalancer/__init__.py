"""Load balancers on machines of one's own: addresses from a pool."""

from pybernetes.controllers.loadbalancer.controller import LoadBalancers as LoadBalancers
