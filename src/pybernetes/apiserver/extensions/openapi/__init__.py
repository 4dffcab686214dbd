"""/openapi/v2 and /openapi/v3: what is served, as schemas and paths.

`documents` answers requests; `schemas` and `custom` make definitions, `operations` paths, `gnostic` the binary form.
Only the first is imported before somebody asks.
"""

from pybernetes.apiserver.extensions.openapi.documents import OpenApi

__all__ = ["OpenApi"]
