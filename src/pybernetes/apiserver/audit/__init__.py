"""The audit: who asked for what, when, and what came of it.

A `policy` says of each request how much is noted; `form` writes that down; `auditor` does it at the right moments;
`log` and `webhook` take it to where it is kept.
"""

from pybernetes.apiserver.audit.auditor import Auditor as Auditor
from pybernetes.apiserver.audit.auditor import Backend as Backend
from pybernetes.apiserver.audit.form import Entry as Entry
from pybernetes.apiserver.audit.log import LogFile as LogFile
from pybernetes.apiserver.audit.policy import Policy as Policy
from pybernetes.apiserver.audit.policy import PolicyError as PolicyError
from pybernetes.apiserver.audit.webhook import Webhook as Webhook
