"""Jobs: pods that run to completion, counted exactly once each."""

from pybernetes.controllers.job.controller import Jobs as Jobs
