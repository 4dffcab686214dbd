"""`hyperkube kube-proxy`: a node's service proxy as a program of its own."""
