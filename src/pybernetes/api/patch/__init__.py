"""The three patch formats, as pure functions on JSON trees. Server-side apply, the fourth, lives in `api/apply`.

None changes the tree it is given: results share unchanged parts with it. What a client did wrong is raised as the
StatusError to answer with.
"""

from pybernetes.api.patch import json_patch, merge, strategic

__all__ = ["json_patch", "merge", "strategic"]
