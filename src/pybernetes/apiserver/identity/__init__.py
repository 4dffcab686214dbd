"""Which API servers of a cluster there are, and in which versions each of them writes what it stores."""

from pybernetes.apiserver.identity.lease import Identity as Identity
