"""CertificateSigningRequests: approved for kubelets, signed where they are approved, and cleaned away."""

from pybernetes.controllers.certificates.approving import Approving as Approving
from pybernetes.controllers.certificates.cleaning import Cleaning as Cleaning
from pybernetes.controllers.certificates.signing import Signing as Signing
