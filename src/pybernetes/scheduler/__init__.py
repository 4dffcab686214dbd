"""The scheduler: a queue of pods, a table of nodes in numpy, and plugins that filter and score whole columns.

numpy is imported when the scheduler runs, not before, so that an API server in the same process is ready first.
"""

from pybernetes.scheduler.scheduler import Scheduler as Scheduler
