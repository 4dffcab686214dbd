"""Users of identity providers: tokens (OpenID Connect) whose claims say who somebody is.

    settings --> provider --(keys)--> the signature is right --> mapping --> user

`keys` fetches a provider's documents, `mapping` is pure.
"""
