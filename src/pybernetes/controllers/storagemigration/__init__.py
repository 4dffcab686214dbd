"""StorageVersionMigrations: all objects of a resource are written anew, in the version and form of now."""

from pybernetes.controllers.storagemigration.controller import Migrator as Migrator
