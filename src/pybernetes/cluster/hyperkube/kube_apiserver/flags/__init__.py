"""The flags of `hyperkube kube-apiserver`: upstream's names and defaults, group by group, and a few of our own."""

from pybernetes.cluster.hyperkube import features, logging_flags
from pybernetes.cluster.hyperkube.kube_apiserver.flags import (
    admission,
    api,
    audit,
    authentication,
    authorization,
    general,
    insecure,
    kubelet,
    requests,
    serving,
    storage,
)

TABLE = (
    *serving.TABLE,
    *insecure.TABLE,
    *storage.TABLE,
    *authentication.TABLE,
    *authorization.TABLE,
    *admission.TABLE,
    *audit.TABLE,
    *requests.TABLE,
    *kubelet.TABLE,
    *api.TABLE,
    *features.TABLE,
    *general.TABLE,
    *logging_flags.TABLE,
)
