"""`hyperkube kube-controller-manager`: the controllers as a program of their own."""
