"""`hyperkube kube-apiserver`: the API server alone, from a store, for many machines."""
