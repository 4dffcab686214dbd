"""`hyperkube kubelet`: a node's agent as a program of its own."""
