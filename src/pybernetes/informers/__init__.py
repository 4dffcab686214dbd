"""What every component that follows the API is built from: informers, work queues, reconcile loops, events."""

from pybernetes.informers.cache import Cache as Cache
from pybernetes.informers.election import Election as Election
from pybernetes.informers.informer import Informer as Informer
from pybernetes.informers.informer import Informers as Informers
from pybernetes.informers.keys import join_key as join_key
from pybernetes.informers.keys import key_of as key_of
from pybernetes.informers.keys import split_key as split_key
from pybernetes.informers.loop import Loop as Loop
from pybernetes.informers.queue import Closed as Closed
from pybernetes.informers.queue import Queue as Queue
from pybernetes.informers.recorder import Recorder as Recorder
