"""DaemonSets: one pod on every node that suits."""

from pybernetes.controllers.daemon.controller import DaemonSets as DaemonSets
