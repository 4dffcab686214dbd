"""The service accounts of kube-system that controllers work as, where each has its own (upstream's names)."""

from __future__ import annotations

# Makes the tokens that the others work with.
PRIVILEGED = frozenset({"serviceaccount-token-controller"})

_ACCOUNTS = {
    "endpoints-controller": "endpoint-controller",
    "endpointslice-mirroring-controller": "endpointslicemirroring-controller",
    "garbage-collector-controller": "generic-garbage-collector",
    "daemonset-controller": "daemon-set-controller",
    "horizontal-pod-autoscaler-controller": "horizontal-pod-autoscaler",
    "node-ipam-controller": "node-controller",
    "node-lifecycle-controller": "node-controller",
    "taint-eviction-controller": "node-controller",
    "persistentvolume-attach-detach-controller": "attachdetach-controller",
    "persistentvolume-binder-controller": "persistent-volume-binder",
    "persistentvolume-expander-controller": "expand-controller",
    "persistentvolume-protection-controller": "pv-protection-controller",
    "persistentvolumeclaim-protection-controller": "pvc-protection-controller",
    "pod-garbage-collector-controller": "pod-garbage-collector",
    "replicationcontroller-controller": "replication-controller",
    "root-ca-certificate-publisher-controller": "root-ca-cert-publisher",
    "serviceaccount-controller": "service-account-controller",
    "service-lb-controller": "service-controller",
    "certificatesigningrequest-signing-controller": "certificate-controller",
    "certificatesigningrequest-approving-controller": "certificate-controller",
    "certificatesigningrequest-cleaner-controller": "certificate-controller",
    "bootstrap-signer-controller": "bootstrap-signer",
    "token-cleaner-controller": "token-cleaner",
    "legacy-serviceaccount-token-cleaner-controller": "legacy-service-account-token-cleaner",
    "service-cidr-controller": "service-cidrs-controller",
    "resourceclaim-controller": "resource-claim-controller",
    "storageversion-garbage-collector-controller": "storage-version-garbage-collector",
}


def account_of(controller: str) -> str:
    """Of a controller by its name in `--controllers`; most are named alike."""
    return _ACCOUNTS.get(controller, controller)
