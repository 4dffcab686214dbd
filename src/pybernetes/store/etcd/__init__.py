"""A `Store` over an etcd 3.5 or 3.6 cluster, for more than one API server.

`await etcd.open(etcd.Options(...), ...)`.
"""

from pybernetes.store.etcd.options import Options as Options
from pybernetes.store.etcd.store import EtcdStore as EtcdStore
from pybernetes.store.etcd.store import open as open  # noqa: A004
