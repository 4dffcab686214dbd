"""The node's agent: runs the pods that are bound to it, and says how they are."""

from pybernetes.kubelet.kubelet import Kubelet as Kubelet
from pybernetes.kubelet.settings import Settings as Settings
