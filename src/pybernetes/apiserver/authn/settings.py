"""How clients are told apart, beside static and service-account tokens."""

from __future__ import annotations

from dataclasses import dataclass

from pybernetes.apiserver.authn import frontproxy, signing, webhook
from pybernetes.apiserver.authn.oidc import settings as oidc


@dataclass(frozen=True, slots=True, kw_only=True)
class Authentication:
    """`client_ca` is PEM: the authorities of clients, whom the listener has checked. `proxy` may speak for others.

    `anonymous_paths`: where no credentials are needed, () for everywhere. `providers` are identity providers, whose
    tokens may be signed by `algorithms`. `keys_at`: another place that the keys of service-account tokens are served
    at. `longest_token` is in seconds, 0 for any; `extends_tokens`: those that pods get hold longer than they say.
    """

    client_ca: bytes = b""
    proxy: frontproxy.Settings | None = None
    bootstrap_tokens: bool = False
    providers: tuple[oidc.Provider, ...] = ()
    algorithms: tuple[str, ...] = signing.ALGORITHMS
    webhook: webhook.Settings | None = None
    anonymous_paths: tuple[str, ...] = ()
    keys_at: str = ""
    longest_token: float = 0.0
    extends_tokens: bool = True
