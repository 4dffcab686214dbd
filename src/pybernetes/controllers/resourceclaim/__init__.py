"""Claims to devices that pods have by templates, and who has which claim."""

from pybernetes.controllers.resourceclaim.controller import ResourceClaims as ResourceClaims
