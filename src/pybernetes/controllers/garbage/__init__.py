"""Garbage collection by owner references."""

from pybernetes.controllers.garbage.controller import GarbageCollector as GarbageCollector
