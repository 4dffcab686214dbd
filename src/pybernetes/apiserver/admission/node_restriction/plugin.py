"""NodeRestriction: a kubelet writes its own node's objects, its own pods, and what belongs to these."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from pybernetes.api import codecs, errors
from pybernetes.api.types import authentication_v1, certificates_v1, core_v1
from pybernetes.apiserver.admission import hosts, plugin, signers
from pybernetes.apiserver.admission.node_restriction import audiences, labels, mirrors
from pybernetes.apiserver.storage import collection as collections

_LEASES = "kube-node-lease"
_USER = "system:node:"
_SIGNERS = ("kubernetes.io/kubelet-serving", "kubernetes.io/kube-apiserver-client-kubelet")
# What of a claim's status a kubelet may write.
_CLAIM = ("capacity", "conditions", "allocatedResourceStatuses", "allocatedResources")

# The node's name, and what is about to happen.
Check = Callable[[str, plugin.Attributes], Awaitable[None] | None]


class NodeRestriction(plugin.Plugin):
    name = "NodeRestriction"
    operations = (plugin.CREATE, plugin.UPDATE, plugin.DELETE)

    def __init__(self, host: hosts.Host) -> None:
        self._pods: collections.Collection = host.collection("", "pods")
        self._nodes: collections.Collection = host.collection("", "nodes")
        self._audiences = audiences.Audiences(host)
        self._checks: dict[str, Check] = {
            "pods": self._pod,
            "pods/status": self._pod_status,
            "pods/eviction": self._eviction,
            "nodes": self._node,
            "persistentvolumeclaims": self._claim,
            "serviceaccounts/token": self._token,
            "leases.coordination.k8s.io": self._lease,
            "csinodes.storage.k8s.io": self._csi_node,
            "resourceslices.resource.k8s.io": self._slice,
            "certificatesigningrequests.certificates.k8s.io": self._signing,
        }

    def handles(self, operation: str, resource: str) -> bool:
        whole = resource.partition("/")[0]
        return operation in self.operations and (resource in self._checks or whole in (*self._checks, "pods"))

    async def admit(self, attributes: plugin.Attributes) -> None:
        user = attributes.user
        if not user.name.startswith(_USER) or "system:nodes" not in user.groups:
            return
        node = user.name.removeprefix(_USER)
        if not node:
            raise attributes.forbidden(f'could not determine node from user "{user.name}"')
        whole = attributes.kind.resource.group_resource
        check = self._checks.get(attributes.resource)
        if check is None and whole == "pods":
            words = "only 'status' and 'eviction' are allowed"
            raise attributes.forbidden(f'unexpected pod subresource "{attributes.subresource}", {words}')
        check = check or self._checks.get(whole)
        if check is not None:
            waiting = check(node, attributes)
            if waiting is not None:
                await waiting

    # -- pods

    def _pod(self, node: str, attributes: plugin.Attributes) -> None:
        if attributes.operation == plugin.CREATE:
            mirrors.check(node, attributes, uid_of=self._uid_of)
        elif attributes.operation == plugin.DELETE:
            if attributes.old.spec.nodeName != node:
                raise attributes.forbidden(f'node "{node}" can only delete pods with spec.nodeName set to itself')
        else:
            words = f'node "{node}" can only create and delete mirror pods'
            raise attributes.forbidden(f'unexpected operation "{attributes.operation}", {words}')

    def _uid_of(self, node: str) -> str:
        item = self._nodes.get("", node)
        if item is None:
            raise errors.not_found("", "nodes", node)
        found: core_v1.Node = item.peek(core_v1.Node)
        return found.metadata.uid

    def _pod_status(self, node: str, attributes: plugin.Attributes) -> None:
        new, old = attributes.obj, attributes.old
        if old.spec.nodeName != node:
            raise attributes.forbidden(
                f'node "{node}" can only update pod status for pods with spec.nodeName set to itself'
            )
        if new.metadata.labels != old.metadata.labels:
            raise attributes.forbidden(f'node "{node}" cannot update labels through pod status')
        if new.status.resourceClaimStatuses != old.status.resourceClaimStatuses:
            raise attributes.forbidden(f'node "{node}" cannot update resource claim statues')
        if new.status.extendedResourceClaimStatus != old.status.extendedResourceClaimStatus:
            raise attributes.forbidden(f'node "{node}" cannot update extended resource claim status')

    def _eviction(self, node: str, attributes: plugin.Attributes) -> None:
        if self._find(attributes.namespace, attributes.name).spec.nodeName != node:
            raise attributes.forbidden(f"node {node} can only evict pods with spec.nodeName set to itself")

    def _find(self, namespace: str, name: str) -> core_v1.Pod:
        item = self._pods.get(namespace, name)
        if item is None:
            raise errors.not_found("", "pods", name)
        pod: core_v1.Pod = item.peek(core_v1.Pod)
        return pod

    # -- what belongs to pods

    def _claim(self, node: str, attributes: plugin.Attributes) -> None:
        if attributes.subresource != "status":
            raise attributes.forbidden("may only update PVC status")
        if _but_for_status(attributes.obj) != _but_for_status(attributes.old):
            words = "is not allowed to update fields other than status.quantity and status.conditions"
            raise attributes.forbidden(f'node "{node}" {words}')

    async def _token(self, node: str, attributes: plugin.Attributes) -> None:
        asked: authentication_v1.TokenRequest = attributes.obj
        reference = asked.spec.boundObjectRef
        if reference is None or (reference.apiVersion, reference.kind) != ("v1", "Pod") or not reference.name:
            raise attributes.forbidden("node requested token not bound to a pod")
        if not reference.uid:
            raise attributes.forbidden("node requested token with a pod binding without a uid")
        pod = self._find(attributes.namespace, reference.name)
        if reference.uid != pod.metadata.uid:
            raise attributes.forbidden(
                f"the UID in the bound object reference ({reference.uid}) does not match the UID in record. The object "
                "might have been deleted and then recreated"
            )
        if pod.spec.nodeName != node:
            raise attributes.forbidden("node requested token bound to a pod scheduled on a different node")
        await self._audiences.check(attributes, asked.spec.audiences, pod)

    # -- what belongs to nodes

    def _node(self, node: str, attributes: plugin.Attributes) -> None:
        if attributes.name != node:
            raise attributes.forbidden(f'node "{node}" is not allowed to modify node "{attributes.name}"')
        if attributes.operation == plugin.CREATE:
            wrong = labels.forbidden(attributes.obj.metadata.labels, {})
            if wrong:
                raise attributes.forbidden(
                    f'node "{node}" is not allowed to set the following labels: {", ".join(wrong)}'
                )
        elif attributes.operation == plugin.UPDATE:
            self._node_update(node, attributes, attributes.obj, attributes.old)

    def _node_update(self, node: str, attributes: plugin.Attributes, new: core_v1.Node, old: core_v1.Node) -> None:
        if new.spec.taints != old.spec.taints:
            raise attributes.forbidden(f'node "{node}" is not allowed to modify taints')
        if new.metadata.ownerReferences != old.metadata.ownerReferences:
            raise attributes.forbidden(f'node "{node}" is not allowed to modify ownerReferences')
        wrong = labels.forbidden(new.metadata.labels, old.metadata.labels)
        if wrong:
            raise attributes.forbidden(f"is not allowed to modify labels: {', '.join(wrong)}")

    def _lease(self, node: str, attributes: plugin.Attributes) -> None:
        if attributes.namespace != _LEASES:
            raise attributes.forbidden(f'can only access leases in the "{_LEASES}" system namespace')
        if attributes.name != node:
            raise attributes.forbidden("can only access node lease with the same name as the requesting node")

    def _csi_node(self, node: str, attributes: plugin.Attributes) -> None:
        if attributes.name != node:
            raise attributes.forbidden("can only access CSINode with the same name as the requesting node")

    def _slice(self, node: str, attributes: plugin.Attributes) -> None:
        doing = {plugin.CREATE: "create", plugin.DELETE: "delete"}.get(attributes.operation)
        if doing is None:
            return
        shown = attributes.obj if attributes.operation == plugin.CREATE else attributes.old
        if shown.spec.nodeName != node:
            raise attributes.forbidden(f"can only {doing} ResourceSlice with the same NodeName as the requesting node")

    def _signing(self, node: str, attributes: plugin.Attributes) -> None:
        if attributes.operation != plugin.CREATE:
            return
        spec: certificates_v1.CertificateSigningRequestSpec = attributes.obj.spec
        if spec.signerName not in _SIGNERS:
            return
        try:
            names = signers.subject(spec.request).get("CN", [])
        except ValueError as error:
            raise attributes.forbidden(f"unable to parse csr: {error}") from None
        if names != [_USER + node]:
            raise attributes.forbidden(f"can only create a node CSR with CN={_USER}{node}")


def _but_for_status(claim: Any) -> Any:
    tree = codecs.to_tree(claim)
    for name in ("resourceVersion", "managedFields"):
        tree["metadata"].pop(name, None)
    for name in _CLAIM:
        tree.get("status", {}).pop(name, None)
    return tree
