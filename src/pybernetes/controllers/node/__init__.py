"""Controllers of nodes: health and taints, evictions by taint, address ranges, and what lost nodes leave behind."""
