"""What every generated API type is made of.

A type encodes as upstream encodes it: empty optional fields are left out; fields that upstream always writes carry a
default *factory*, which msgspec never takes for "unchanged" (that is why `written_list` is not just `list`).
`gc=False`: objects are trees, so the cycle collector need not walk tens of thousands of them. `fieldsV1`, which as
dictionaries would be most of many an object, stays the bytes that it is written as (`msgspec.Raw`).
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from pybernetes.api.quantity import Quantity

# A time that exists, as Go reads it; so whatever is stored can be reckoned with.
_DATE = (
    r"(?:(?!0000)\d{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\d|30)"
    r"|02-(?:0[1-9]|1\d|2[0-8]))|(?:\d\d(?:0[48]|[2468][048]|[13579][26])|(?:0[48]|[2468][048]|[13579][26])00)-02-29)"
)
_CLOCK = r"(?:[01]\d|2[0-3]):[0-5]\d"
Rfc3339 = Annotated[
    str, msgspec.Meta(pattern=rf"\A{_DATE}T{_CLOCK}:[0-5]\d(?:\.\d{{1,9}})?(?:Z|[+-]{_CLOCK})\Z", description="time")
]
Int32 = Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1)]


class Type(msgspec.Struct, omit_defaults=True, kw_only=True, gc=False, dict=False, forbid_unknown_fields=True):
    """Base of all API types. `codecs` takes documents with unknown fields too, but on the way that notices them."""


def zero_quantity() -> Quantity:
    """Upstream writes quantities that are held by value even when they are zero."""
    return Quantity("0")


def written_list() -> list[Any]:
    return []


def written_dict() -> dict[str, Any]:
    return {}
