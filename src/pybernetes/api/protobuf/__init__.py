"""Kubernetes protobuf bodies: the form that stock Go clients prefer for built-in kinds.

Reader and writer share the tables of `types/_protobuf.py` (field numbers), so no generated classes are imported; both
go between bytes and the same plain trees as JSON. An envelope names the kind:

    "k8s\\0" + Unknown{typeMeta{apiVersion, kind}, raw, contentEncoding, contentType}
"""

from pybernetes.api.protobuf.reading import decode
from pybernetes.api.protobuf.tables import MAGIC, MEDIA_TYPE, message_name
from pybernetes.api.protobuf.writing import encode, enveloped, list_of, raw, watch_event

__all__ = ["MAGIC", "MEDIA_TYPE", "decode", "encode", "enveloped", "list_of", "message_name", "raw", "watch_event"]
