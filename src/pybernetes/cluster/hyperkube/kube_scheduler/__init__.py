"""`hyperkube kube-scheduler`: the scheduler as a program of its own."""
