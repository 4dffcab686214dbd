"""Bootstrap tokens: what nodes that join prove themselves by, and know the cluster by."""

from pybernetes.controllers.bootstrap.cleaner import TokenCleaner as TokenCleaner
from pybernetes.controllers.bootstrap.signer import Signer as Signer
