"""What hangs together: the connected components of a graph."""

from __future__ import annotations

import numpy as np

from facematch.types import Int64Array


def connected_components(nodes: int, a: Int64Array, b: Int64Array) -> Int64Array:
    """The smallest node of the component of each node.

    Every edge hooks the labels of its ends onto the smaller one, then labels are followed to
    their roots, until nothing changes.

    Args:
        nodes: how many there are.
        a: int64 (n,), one end of each edge, in [0, nodes).
        b: int64 (n,), the other end.

    Returns:
        int64 (nodes,).

    >>> connected_components(5, np.array([3, 1]), np.array([4, 3])).tolist()
    [0, 1, 2, 1, 1]
    """
    label = np.arange(nodes, dtype=np.int64)
    while True:
        left, right = label[a], label[b]
        if np.array_equal(left, right):
            return label
        lower = np.minimum(left, right)
        np.minimum.at(label, left, lower)
        np.minimum.at(label, right, lower)
        while not np.array_equal(label, label[label]):
            label = label[label]
