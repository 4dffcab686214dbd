"""Who the parts of a cluster are to each other: certificates and kubeconfigs of every component."""

from __future__ import annotations

import ipaddress
import pathlib
import socket
import ssl

from pybernetes.client import kubeconfig
from pybernetes.cluster import layout, pki

SERVICE_NAMES = (
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
    "localhost",
)
# Who may say who a request is from.
FRONT_PROXY = "front-proxy-client"


class Credentials:
    """Made on first use, under the layout's pki folder."""

    def __init__(self, paths: layout.Layout, options: layout.Options, authority: pki.Pki) -> None:
        self._paths = paths
        self._options = options
        self.pki = authority

    def server_tls(self) -> pki.Pair:
        """The API server's serving certificate."""
        first = str(ipaddress.ip_network(self._options.service_cidr)[1])
        hosts = {*SERVICE_NAMES, "127.0.0.1", first, self._options.node_ip, socket.gethostname()}
        return self.pki.server("apiserver", hosts)

    def kubelet_serving(self) -> pki.Pair:
        return self.pki.server("kubelet-serving", {self._options.node_ip, self._options.node_name, "127.0.0.1"})

    def kubelet_client_tls(self) -> ssl.SSLContext:
        """The API server's side towards kubelets."""
        pair = self.pki.client(
            "apiserver-kubelet-client", user="kube-apiserver-kubelet-client", groups=("system:masters",)
        )
        context = ssl.create_default_context(cafile=str(self.pki.ca))
        context.load_cert_chain(pair.certificate, pair.key)
        return context

    @property
    def front_proxy(self) -> pki.Pki:
        """An authority of its own: whoever it vouches for may say who a request is from."""
        return pki.Pki(self._paths.pki / "front-proxy", self.pki.clock)

    def proxy_client(self) -> pki.Pair:
        """The API server's side towards the servers of aggregated APIs."""
        return self.front_proxy.client(FRONT_PROXY, user=FRONT_PROXY)

    def write_kubeconfigs(self) -> None:
        """The administrator's, the kubelet's and the proxy's."""
        node = self._options.node_name
        self._write(self._paths.kubeconfig, "admin", user="kubernetes-admin", groups=("system:masters",))
        self._write(
            self._paths.component_kubeconfig("kubelet"),
            "kubelet",
            user=f"system:node:{node}",
            groups=("system:nodes",),
        )
        self._write(
            self._paths.component_kubeconfig("kube-proxy"),
            "kube-proxy",
            user="system:kube-proxy",
            groups=("system:node-proxier",),
        )

    def _write(self, path: pathlib.Path, name: str, *, user: str, groups: tuple[str, ...]) -> None:
        pair = self.pki.client(name, user=user, groups=groups)
        config = kubeconfig.build(
            server=f"https://127.0.0.1:{self._options.api_port}",
            ca=self.pki.ca.read_bytes(),
            user=name,
            certificate=pair.certificate.read_bytes(),
            key=pair.key.read_bytes(),
        )
        if kubeconfig.read(path) != config:
            kubeconfig.write(path, config)
