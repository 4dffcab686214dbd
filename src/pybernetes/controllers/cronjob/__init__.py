"""CronJobs: Jobs at given times."""

from pybernetes.controllers.cronjob.controller import CronJobs as CronJobs
