"""Controllers of nodes: health, taints and evictions, address ranges, caching, and what lost nodes leave behind."""
