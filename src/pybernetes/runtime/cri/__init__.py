"""CRI v1 over gRPC: containerd, CRI-O, or any other runtime that serves it on a unix socket."""

from pybernetes.runtime.cri.runtime import CRI as CRI
