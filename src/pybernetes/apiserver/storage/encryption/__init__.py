"""Encryption at rest: chosen resources are sealed before the store gets them (upstream's EncryptionConfiguration)."""

from pybernetes.apiserver.storage.encryption.configuration import Configuration as Configuration
from pybernetes.apiserver.storage.encryption.configuration import ConfigurationError as ConfigurationError
from pybernetes.apiserver.storage.encryption.sealed import SealedStore as SealedStore
