"""extensions/v1beta1 Ingresses: backends were a name and a port side by side."""

from __future__ import annotations

from pybernetes.api.types import extensions_v1beta1, networking_v1
from pybernetes.apiserver.resources import kind, views
from pybernetes.apiserver.resources.networking import ingresses


def to_stored(ingress: extensions_v1beta1.Ingress) -> networking_v1.Ingress:
    """The networking.k8s.io/v1 form. Parts that both forms have alike are shared, not copied."""
    spec = ingress.spec
    return networking_v1.Ingress(
        metadata=ingress.metadata,
        spec=networking_v1.IngressSpec(
            defaultBackend=None if spec.backend is None else _new_backend(spec.backend),
            ingressClassName=spec.ingressClassName,
            rules=[networking_v1.IngressRule(host=rule.host, http=_new_paths(rule.http)) for rule in spec.rules],
            tls=spec.tls,
        ),
        status=ingress.status,
    )


def _new_backend(backend: extensions_v1beta1.IngressBackend) -> networking_v1.IngressBackend:
    port, service = backend.servicePort, None
    if backend.serviceName or port not in (0, ""):
        named = networking_v1.ServiceBackendPort()
        if isinstance(port, int):
            named.number = port
        else:
            named.name = port
        service = networking_v1.IngressServiceBackend(name=backend.serviceName, port=named)
    return networking_v1.IngressBackend(resource=backend.resource, service=service)


def _new_paths(
    value: extensions_v1beta1.HTTPIngressRuleValue | None,
) -> networking_v1.HTTPIngressRuleValue | None:
    if value is None:
        return None
    return networking_v1.HTTPIngressRuleValue(
        paths=[
            networking_v1.HTTPIngressPath(
                path=path.path, pathType=path.pathType or "", backend=_new_backend(path.backend)
            )
            for path in value.paths
        ]
    )


def from_stored(ingress: networking_v1.Ingress) -> extensions_v1beta1.Ingress:
    """The form of 2017."""
    spec = ingress.spec
    return extensions_v1beta1.Ingress(
        metadata=ingress.metadata,
        spec=extensions_v1beta1.IngressSpec(
            backend=None if spec.defaultBackend is None else _old_backend(spec.defaultBackend),
            ingressClassName=spec.ingressClassName,
            rules=[extensions_v1beta1.IngressRule(host=rule.host, http=_old_paths(rule.http)) for rule in spec.rules],
            tls=spec.tls,
        ),
        status=ingress.status,
    )


def _old_backend(backend: networking_v1.IngressBackend) -> extensions_v1beta1.IngressBackend:
    old = extensions_v1beta1.IngressBackend(resource=backend.resource)
    if backend.service is not None:
        port = backend.service.port
        old.serviceName = backend.service.name
        old.servicePort = port.name or port.number
    return old


def _old_paths(
    value: networking_v1.HTTPIngressRuleValue | None,
) -> extensions_v1beta1.HTTPIngressRuleValue | None:
    if value is None:
        return None
    return extensions_v1beta1.HTTPIngressRuleValue(
        paths=[
            extensions_v1beta1.HTTPIngressPath(
                path=path.path, pathType=path.pathType or None, backend=_old_backend(path.backend)
            )
            for path in value.paths
        ]
    )


def default(ingress: extensions_v1beta1.Ingress) -> None:
    for rule in ingress.spec.rules:
        for path in rule.http.paths if rule.http is not None else ():
            path.pathType = path.pathType or "ImplementationSpecific"


KIND: kind.Kind[extensions_v1beta1.Ingress] = views.converted(
    ingresses.KIND, "extensions", "v1beta1", to_stored=to_stored, from_stored=from_stored, default=default
)
