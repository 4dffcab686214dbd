"""What others need to check service-account tokens by themselves: the documents of OpenID Connect Discovery."""

from __future__ import annotations

from urllib.parse import urlsplit

import msgspec

from pybernetes.apiserver import results
from pybernetes.apiserver.authn import keysets, serviceaccounts, signing

CONFIGURATION, KEYS = "/.well-known/openid-configuration", "/openid/v1/jwks"
_CACHED = (("Cache-Control", "public, max-age=3600"),)


class Discovery:
    """`address` is where this server is reached; `keys_at` another place that the keys are served at, if any."""

    def __init__(self, signer: serviceaccounts.Signer, *, address: str, keys_at: str = "") -> None:
        self._documents: dict[str, results.Document] = {}
        issuer = urlsplit(signer.issuer)
        if issuer.scheme != "https" or issuer.query or issuer.fragment:
            # Nobody would believe it.
            return
        keys = signer.keys()
        configuration = {
            "issuer": signer.issuer,
            "jwks_uri": keys_at or f"https://{address}{KEYS}",
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": sorted({signing.algorithm(key) for key in keys}),
        }
        self._documents = {
            CONFIGURATION: results.Document(msgspec.json.encode(configuration), headers=_CACHED),
            KEYS: results.Document(
                msgspec.json.encode(keysets.document(keys)), content_type="application/jwk-set+json", headers=_CACHED
            ),
        }

    def paths(self) -> tuple[str, ...]:
        return tuple(self._documents)

    def answer(self, path: str) -> results.Document | None:
        return self._documents.get(path)
