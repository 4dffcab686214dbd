"""May this kubelet do it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pybernetes.api.types import rbac_v1
from pybernetes.apiserver import request as requests
from pybernetes.apiserver.authz import authorizer, rules
from pybernetes.apiserver.authz.node import graph

PREFIX, GROUP = "system:node:", "system:nodes"
LEASES = "kube-node-lease"
REMEMBERED = 4096
READING = ("get", "list", "watch")
OWN_OBJECT = ("get", "create", "update", "patch", "delete")
_SLICE_VERBS = "get, watch, list, create, update, patch, delete, deletecollection"
_OWN_OBJECT_VERBS = "get, create, update, patch, or delete"
Question = requests.Attributes
# (node, what is asked)
Check = Callable[[str, Question], authorizer.Decision]


def identity(user: requests.User) -> str | None:
    """The node of a kubelet, "" if it does not say; None for who is not one."""
    if user.name.startswith(PREFIX) and GROUP in user.groups:
        return user.name.removeprefix(PREFIX)
    return None


def _no(reason: str = "") -> authorizer.Decision:
    return authorizer.Decision(False, reason)


def _narrowed_to(node: str, asked: Question, field: str) -> bool:
    """Whether a selector asks for this node's objects alone."""
    terms = asked.selectors.fields if asked.selectors is not None else ()
    return any(term.field == field and term.equal and term.value == node for term in terms)


class Nodes(authorizer.Immediate):
    """`node_rules` are for all that is not divided up among nodes."""

    def __init__(self, known: graph.Graph, node_rules: Sequence[rbac_v1.PolicyRule]) -> None:
        self._graph = known
        self._rules = node_rules
        # What the rules, which never change, have said.
        self._by_rules: dict[Question, bool] = {}
        self._checks: dict[tuple[str, str], Check] = {
            ("", "secrets"): self._read,
            ("", "configmaps"): self._read,
            ("", "persistentvolumeclaims"): self._claim,
            ("", "persistentvolumes"): self._get,
            ("resource.k8s.io", "resourceclaims"): self._get,
            ("storage.k8s.io", "volumeattachments"): self._get,
            ("", "serviceaccounts"): self._account,
            ("coordination.k8s.io", "leases"): _lease,
            ("storage.k8s.io", "csinodes"): _csi_node,
            ("resource.k8s.io", "resourceslices"): self._slice,
            ("", "nodes"): _node,
            ("", "pods"): self._pod,
            ("certificates.k8s.io", "podcertificaterequests"): self._certificate_request,
        }

    def decide(self, user: requests.User, attributes: Question) -> authorizer.Decision:
        if not user.name.startswith(PREFIX):
            return authorizer.NO_OPINION
        node = identity(user)
        if node is None:
            return authorizer.NO_OPINION
        if not node:
            return _no(f'unknown node for user "{user.name}"')
        check = self._checks.get((attributes.group, attributes.resource)) if attributes.is_resource else None
        if check is not None:
            return check(node, attributes)
        allowed = self._by_rules.get(attributes)
        if allowed is None:
            if len(self._by_rules) >= REMEMBERED:
                self._by_rules.clear()
            allowed = any(rules.allows(rule, attributes) for rule in self._rules)
            self._by_rules[attributes] = allowed
        return authorizer.ALLOWED if allowed else authorizer.NO_OPINION

    def rules_for(self, user: requests.User, namespace: str) -> authorizer.Rules:
        if identity(user) is None:
            return authorizer.Rules()
        return authorizer.Rules(incomplete=True, error="node authorizer does not support user rule resolution")

    def _related(self, node: str, asked: Question) -> authorizer.Decision:
        if not asked.name:
            return _no("No Object name found")
        if self._graph.leads(asked.resource, (asked.namespace, asked.name), node):
            return authorizer.ALLOWED
        return _no(f"no relationship found between node '{node}' and this object")

    def _read(self, node: str, asked: Question) -> authorizer.Decision:
        if asked.verb not in READING:
            return _no("can only read resources of this type")
        if asked.subresource:
            return _no("cannot read subresource")
        if not asked.namespace:
            return _no("can only read namespaced object of this type")
        return self._related(node, asked)

    def _get(self, node: str, asked: Question) -> authorizer.Decision:
        if asked.verb != "get":
            return _no("can only get individual resources of this type")
        if asked.subresource:
            return _no("cannot get subresource")
        return self._related(node, asked)

    def _claim(self, node: str, asked: Question) -> authorizer.Decision:
        if asked.subresource != "status":
            return self._get(node, asked)
        if asked.verb not in ("update", "patch"):
            return _no("can only get/update/patch this type")
        return self._related(node, asked)

    def _account(self, node: str, asked: Question) -> authorizer.Decision:
        if asked.verb == "get" and not asked.subresource:
            return self._read(node, asked)
        if asked.verb != "create" or not asked.name:
            return _no("can only create tokens for individual service accounts")
        if asked.subresource != "token":
            return _no("can only create token subresource of serviceaccount")
        return self._related(node, asked)

    def _slice(self, node: str, asked: Question) -> authorizer.Decision:
        if asked.subresource:
            return _no("cannot authorize ResourceSlice subresources")
        if asked.verb == "create":
            # NodeRestriction looks at whose it is.
            return authorizer.ALLOWED
        if asked.verb in ("get", "update", "patch", "delete"):
            return self._related(node, asked)
        if asked.verb not in ("watch", "list", "deletecollection"):
            return _no(f"only the following verbs are allowed for a ResourceSlice: {_SLICE_VERBS}")
        if _narrowed_to(node, asked, "spec.nodeName"):
            return authorizer.ALLOWED
        return _no("can only list/watch/deletecollection resourceslices with nodeName field selector")

    def _pod(self, node: str, asked: Question) -> authorizer.Decision:
        """NodeRestriction sees to it that a kubelet writes mirror pods, and to the pods of its node, alone."""
        what = (asked.subresource, asked.verb)
        if what == ("", "get"):
            return self._get(node, asked)
        if what in (("", "list"), ("", "watch")):
            if _narrowed_to(node, asked, "spec.nodeName"):
                return authorizer.ALLOWED
            if asked.name:
                return self._related(node, asked)
            return _no("can only list/watch pods with spec.nodeName field selector")
        written = (("", "create"), ("", "delete"), ("status", "update"), ("status", "patch"), ("eviction", "create"))
        return authorizer.ALLOWED if what in written else authorizer.NO_OPINION

    def _certificate_request(self, node: str, asked: Question) -> authorizer.Decision:
        if asked.subresource:
            return _no("nodes may not access the status subresource of PodCertificateRequests")
        if asked.verb == "create":
            return authorizer.ALLOWED
        if asked.verb == "get":
            return self._related(node, asked)
        if asked.verb not in ("list", "watch"):
            return _no(f"nodes may not {asked.verb} podcertificaterequests")
        if _narrowed_to(node, asked, "spec.nodeName"):
            return authorizer.ALLOWED
        return _no("can only list/watch podcertificaterequests with nodeName field selector")


def _lease(node: str, asked: Question) -> authorizer.Decision:
    if asked.verb not in OWN_OBJECT:
        return _no(f"can only {_OWN_OBJECT_VERBS} a node lease")
    if asked.namespace != LEASES:
        return _no(f'can only access leases in the "{LEASES}" system namespace')
    if asked.verb != "create" and asked.name != node:
        return _no("can only access node lease with the same name as the requesting node")
    return authorizer.ALLOWED


def _csi_node(node: str, asked: Question) -> authorizer.Decision:
    if asked.verb not in OWN_OBJECT:
        return _no(f"can only {_OWN_OBJECT_VERBS} a CSINode")
    if asked.subresource:
        return _no("cannot authorize CSINode subresources")
    if asked.verb != "create" and asked.name != node:
        return _no("can only access CSINode with the same name as the requesting node")
    return authorizer.ALLOWED


def _node(node: str, asked: Question) -> authorizer.Decision:
    what = (asked.subresource, asked.verb)
    if what in (("", "create"), ("", "update"), ("", "patch"), ("status", "update"), ("status", "patch")):
        # NodeRestriction sees to it that it is its own.
        return authorizer.ALLOWED
    if asked.subresource or asked.verb not in READING:
        return authorizer.NO_OPINION
    if asked.name == node:
        return authorizer.ALLOWED
    if not asked.name:
        return _no(f"node '{node}' cannot read all nodes, only its own Node object")
    return _no(f"node '{node}' cannot read '{asked.name}', only its own Node object")
