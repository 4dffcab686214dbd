"""extensions/v1beta1 NetworkPolicies: those of networking.k8s.io/v1 under their first name."""

from __future__ import annotations

from pybernetes.apiserver.resources import views
from pybernetes.apiserver.resources.networking import networkpolicies

KIND = views.alike(networkpolicies.KIND, "v1beta1", group="extensions")
