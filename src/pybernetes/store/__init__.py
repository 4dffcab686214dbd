"""Revisioned key-value bytes: `Store` and its implementations."""

from pybernetes.store.protocol import Change as Change
from pybernetes.store.protocol import Compacted as Compacted
from pybernetes.store.protocol import Conflict as Conflict
from pybernetes.store.protocol import Entry as Entry
from pybernetes.store.protocol import FutureRevision as FutureRevision
from pybernetes.store.protocol import Page as Page
from pybernetes.store.protocol import Sink as Sink
from pybernetes.store.protocol import Store as Store
from pybernetes.store.protocol import StoreError as StoreError
from pybernetes.store.protocol import Subscription as Subscription
from pybernetes.store.protocol import Unavailable as Unavailable
