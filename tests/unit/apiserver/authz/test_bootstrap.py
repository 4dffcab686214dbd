from __future__ import annotations

from pybernetes.api import selectors
from pybernetes.api.types import rbac_v1
from pybernetes.apiserver.authz import bootstrap
from pybernetes.apiserver.resources.rbac import clusterrolebindings, clusterroles, rolebindings, roles


def test_everything_is_valid_and_marked() -> None:
    listed = (
        (bootstrap.cluster_roles(), clusterroles.validate),
        (bootstrap.roles(), roles.validate),
        (bootstrap.cluster_role_bindings(), clusterrolebindings.validate),
        (bootstrap.role_bindings(), rolebindings.validate),
    )
    for objects, validate in listed:
        for obj in objects:
            assert validate(obj) == []  # type: ignore[arg-type]
            assert obj.metadata.labels["kubernetes.io/bootstrapping"] == "rbac-defaults"
            assert obj.metadata.annotations == {"rbac.authorization.kubernetes.io/autoupdate": "true"}


def test_as_many_as_upstream() -> None:
    assert len(bootstrap.cluster_roles()) == 70
    assert len(bootstrap.cluster_role_bindings()) == 51
    assert len(bootstrap.roles()) == 7
    assert len(bootstrap.role_bindings()) == 7


def test_roles_of_controllers_whose_kinds_are_off_come_with_these() -> None:
    served = [("storagemigration.k8s.io", "v1beta1", "storageversionmigrations")]
    ordinary = {role.metadata.name for role in bootstrap.cluster_roles()}
    (one,) = (role for role in bootstrap.cluster_roles(served) if role.metadata.name not in ordinary)
    assert one.metadata.name == "system:controller:storage-version-migrator-controller"
    assert clusterroles.validate(one) == []
    binding = bootstrap.cluster_role_bindings(served)[-1]
    assert (binding.roleRef.name, binding.subjects[0].name) == (
        one.metadata.name, "storage-version-migrator-controller",
    )  # fmt: skip


def test_bindings_refer_to_roles_that_exist() -> None:
    cluster = {role.metadata.name for role in bootstrap.cluster_roles()}
    assert {binding.roleRef.name for binding in bootstrap.cluster_role_bindings()} <= cluster
    local = {(role.metadata.namespace, role.metadata.name) for role in bootstrap.roles()}
    assert {(b.metadata.namespace, b.roleRef.name) for b in bootstrap.role_bindings()} <= local


def test_admin_gathers_edit_gathers_view() -> None:
    by_name = {role.metadata.name: role for role in bootstrap.cluster_roles()}

    def gathered(name: str) -> set[str]:
        rule = by_name[name].aggregationRule
        assert rule is not None
        chosen = [selectors.from_object(selector) for selector in rule.clusterRoleSelectors]
        return {role.metadata.name for role in by_name.values() if any(s.matches(role.metadata.labels) for s in chosen)}

    assert gathered("admin") == {"edit", "system:aggregate-to-admin"}
    assert gathered("edit") == {"view", "system:aggregate-to-edit"}
    assert gathered("view") == {"system:aggregate-to-view"}


def test_a_controller_s_role_belongs_to_its_account() -> None:
    by_name = {binding.metadata.name: binding for binding in bootstrap.cluster_role_bindings()}
    (subject,) = by_name["system:controller:deployment-controller"].subjects
    assert subject == rbac_v1.Subject(kind="ServiceAccount", name="deployment-controller", namespace="kube-system")


def test_node_rules() -> None:
    assert any("nodes/status" in rule.resources for rule in bootstrap.node_rules())
