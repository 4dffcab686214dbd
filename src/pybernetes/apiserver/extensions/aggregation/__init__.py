"""The aggregation layer: groups and versions that other servers serve, behind Services that APIServices name.

`remotes` keeps what is known of each; `availability` finds out whether its server is well, and what it has; `passing`
takes requests there. Discovery shows them among our own.
"""

from pybernetes.apiserver.extensions.aggregation.aggregation import Aggregation as Aggregation
