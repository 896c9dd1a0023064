"""Connected components against walking the graph."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facematch.metrics.components import connected_components

graphs = st.integers(1, 30).flatmap(
    lambda n: st.tuples(
        st.just(n),
        st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)), max_size=40),
    )
)


def walked(nodes: int, edges: list[tuple[int, int]]) -> list[int]:
    """For each node the smallest one that can be reached."""
    reached = [{node} for node in range(nodes)]
    for _ in range(nodes):
        for a, b in edges:
            reached[a] |= reached[b]
            reached[b] |= reached[a]
    return [min(nodes) for nodes in reached]


@given(graphs)
def test_every_node_gets_the_smallest_of_its_component(
    graph: tuple[int, list[tuple[int, int]]],
) -> None:
    nodes, edges = graph
    a, b = np.array(edges, np.int64).reshape(-1, 2).T
    assert connected_components(nodes, a, b).tolist() == walked(nodes, edges)


@pytest.mark.parametrize("step", [1, -1])
def test_a_long_chain(step: int) -> None:
    chain = np.arange(5000)[::step]
    assert connected_components(5000, chain[:-1], chain[1:]).max() == 0
