"""Prefers nodes that have the pod's images already, weighed by size and by how many nodes have them."""

from __future__ import annotations

from typing import Any

import numpy as np

from pybernetes.scheduler import nodes as tables
from pybernetes.scheduler import shape as shapes
from pybernetes.scheduler.plugins import plugin

_MEGABYTE = 1024 * 1024
LOWEST = 23 * _MEGABYTE
HIGHEST_PER_CONTAINER = 1000 * _MEGABYTE


class ImageLocality(plugin.Plugin):
    name = "ImageLocality"
    weight = 1
    sees = plugin.Sees.NODE

    def prepare(self, shape: shapes.Shape, nodes: tables.Nodes) -> Any | None:
        if len(nodes) < 2:
            return None
        total = np.zeros(nodes.size, np.int64)
        for image in shape.images:
            size, bits = nodes.images.get(normal(image), (0, 0))
            if bits:
                total += nodes.mask(bits) * int(size * bits.bit_count() / len(nodes))
        if not total.any():
            return None
        highest = HIGHEST_PER_CONTAINER * shape.containers
        return (np.clip(total, LOWEST, highest) - LOWEST) * plugin.MAX // (highest - LOWEST)

    def score(self, state: tables.Ints, nodes: tables.Nodes, rows: Any) -> tables.Ints | None:
        raw: tables.Ints = state[rows]
        return raw


def normal(image: str) -> str:
    """With the tag that is meant where none is written."""
    return image if ":" in image.rpartition("/")[2] else f"{image}:latest"
