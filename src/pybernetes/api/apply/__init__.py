"""Who owns which field: server-side apply and the `managedFields` of every write, as pure functions on JSON trees.

A set of fields is kept in the form in which the API writes it (`fieldsV1`), a trie of dictionaries; `fieldset` is its
algebra, `walk` finds fields and changes in trees, `managed` keeps the books, `merge` joins what is applied with what
is, and `server_side` is the verb.
"""

from pybernetes.api.apply.managed import check, created, typed, updated
from pybernetes.api.apply.server_side import applied
from pybernetes.api.apply.walk import changes, field_set

__all__ = ["applied", "changes", "check", "created", "field_set", "typed", "updated"]
