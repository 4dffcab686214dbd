"""The controllers: one file or folder each, listed in `table`."""

from pybernetes.controllers.context import Context as Context
from pybernetes.controllers.context import Settings as Settings
from pybernetes.controllers.run import Controllers as Controllers
