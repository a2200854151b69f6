"""Do the peers' faster steps give what the whole joint table gives?

dpmm itself is not installed here; ``compare_faster.py`` sets both side by side in its environment. These tests take the
same model as one table of all cells, where every sum can be written out.
"""

from __future__ import annotations

from itertools import combinations
from math import prod

import networkx as nx
import numpy as np
import pytest
from scipy import sparse

from benchmarks.dp.peers import sheets
from benchmarks.dp.peers.faster import compiled, warm_started
from benchmarks.dp.peers.junction import Across, Sizes
from benchmarks.dp.peers.layout import Plan, diagonal

SIZE = {"a": 3, "b": 4, "c": 2, "d": 5, "e": 6}
CLIQUES = [("a", "b", "c", "e"), ("b", "c", "d")]
MEASURED = {
    ("a", "b", "c", "e"): [("a", "b"), ("a", "e"), ("b", "e"), ("b", "c"), ("e", "a")],
    ("b", "c", "d"): [("d",), ("b", "d"), ("c",)],
}
TOTAL = 500.0

pytestmark = pytest.mark.needs("cc")


def _tree():
    tree = nx.Graph()
    tree.add_edge(*CLIQUES)
    return tree


def _groups(rng):
    groups = {}
    for clique, tables in MEASURED.items():
        groups[clique] = []
        for number, columns in enumerate(tables):
            cells = prod(SIZE[name] for name in columns)
            matrix = sparse.diags(rng.uniform(0.5, 1.0, cells)) if number == 1 else sparse.eye(cells)
            groups[clique].append((matrix, rng.uniform(0, 2 * TOTAL / cells, cells), rng.uniform(5, 20), columns))
    return groups


def _spread(values, columns):
    """A table of some columns, shaped so that it adds to the table of all."""
    order = [name for name in SIZE if name in columns]
    turned = values.reshape([SIZE[name] for name in columns]).transpose([columns.index(name) for name in order])
    return turned.reshape([SIZE[name] if name in columns else 1 for name in SIZE])


def _summed(joint, columns):
    kept = [name for name in SIZE if name in columns]
    table = joint.sum(axis=tuple(axis for axis, name in enumerate(SIZE) if name not in columns))
    return table.transpose([kept.index(name) for name in columns])


def _descended(groups, iterations):
    """Mirror descent with the halving line search on the table of all cells (McKenna, Sheldon, Miklau, ICML 2019)."""
    log = np.zeros(tuple(SIZE.values()))

    def look():
        joint = np.exp(log - log.max())
        joint *= TOTAL / joint.sum()
        loss, slope = 0.0, np.zeros_like(log)
        for measurements in groups.values():
            for matrix, answers, noise, columns in measurements:
                off = (matrix @ _summed(joint, columns).ravel() - answers) / noise
                loss += 0.5 * off @ off
                slope = slope + _spread(matrix.T @ off / noise, columns)
        return joint, loss, slope

    joint, loss, slope = look()
    alpha = 1 / TOTAL**2
    for _ in range(iterations):
        start, before, current, along = log, joint, loss, slope
        alpha *= 2
        for _ in range(25):
            log = start - alpha * along
            joint, loss, slope = look()
            if current - loss >= 0.5 * alpha * (along * (before - joint)).sum():
                break
            alpha *= 0.5
    return joint, loss


@pytest.mark.parametrize("least", [10**9, 0], ids=["cell by cell", "by matrix products"])
def test_mirror_descent_over_the_tree_is_that_over_the_table_of_all_cells(monkeypatch, least):
    monkeypatch.setattr(sheets, "SPLIT_CELLS", least)
    monkeypatch.setattr(sheets, "CALL", 0.0)
    monkeypatch.setattr(sheets, "SHEET", 0.0)
    groups, library = _groups(np.random.default_rng(5)), compiled()
    plan = Plan(_Domain(SIZE), CLIQUES, _tree(), TOTAL)
    plan.fill(groups, warm_started({}, CLIQUES))
    assert (plan.arrays["sheet"].max() >= 0) == (least == 0)
    loss = plan.descend(library, 60)
    joint, expected = _descended(groups, 60)
    assert loss == pytest.approx(expected, rel=1e-9)
    for clique in CLIQUES:
        np.testing.assert_allclose(plan.marginal(library, clique), _summed(joint, clique), rtol=1e-7, atol=1e-9)


def test_descent_goes_on_from_the_potentials_of_an_earlier_model():
    groups, library = _groups(np.random.default_rng(6)), compiled()
    losses, pieces = [], {}
    for _ in range(2):
        plan = Plan(_Domain(SIZE), CLIQUES, _tree(), TOTAL)
        plan.fill(groups, warm_started(pieces, CLIQUES))
        losses.append(plan.descend(library, 5))
        pieces = plan.pieces()
    assert losses[1] < losses[0]


def test_potentials_whose_clique_is_in_no_new_one_are_dropped():
    old = {("a", "b"): {("a",): np.ones(3)}, ("c", "d"): {("c",): np.ones(2)}, ("a",): {("a",): np.ones(3)}}
    fresh = warm_started(old, [("a", "b", "e"), ("d", "e")])
    assert list(fresh["a", "b", "e"]) == [("a",)]
    assert fresh["a", "b", "e"]["a",].tolist() == [2.0, 2.0, 2.0]
    assert fresh["d", "e"] == {}


def test_a_pair_across_cliques_is_that_of_the_joint_table():
    groups = _groups(np.random.default_rng(7))
    joint, _ = _descended(groups, 30)
    across = Across(CLIQUES, _tree(), lambda _, columns: _summed(joint, columns))
    np.testing.assert_allclose(across.joint("a", "d"), _summed(joint, ("a", "d")), rtol=1e-9)
    np.testing.assert_allclose(across.joint("d", "e"), _summed(joint, ("d", "e")), rtol=1e-9)
    np.testing.assert_allclose(across.joint("d", "a"), _summed(joint, ("d", "a")), rtol=1e-9)


def test_the_size_of_a_larger_tree_is_that_of_the_triangulated_graph():
    rng = np.random.default_rng(8)
    names = tuple("abcdefgh")
    for _ in range(50):
        shape = rng.integers(2, 9, len(names))
        pairs = [pair for pair in combinations(names, 2) if rng.random() < 0.3]
        cliques = [*((name,) for name in names), *pairs]
        assert Sizes(names, shape, cliques[:-1]).with_one_more(cliques[-1]) == _triangulated(names, shape, cliques)


def _triangulated(names, shape, cliques):
    """As private-pgm has it: eliminate the column whose cliques together have the least cells, then fill in."""
    size = dict(zip(names, map(int, shape), strict=True))
    left, sets, order = list(names), {frozenset(clique) for clique in cliques}, []
    while left:
        cost = {name: prod(size[n] for n in frozenset().union(*(s for s in sets if name in s))) for name in left}
        first = min(left, key=cost.__getitem__)
        merged = frozenset().union(*(s for s in sets if first in s)) - {first}
        sets = {s for s in sets if first not in s} | {merged}
        left.remove(first)
        order.append(first)
    graph = nx.Graph()
    graph.add_nodes_from(names)
    for clique in cliques:
        graph.add_edges_from(combinations(clique, 2))
    rest = graph.copy()
    for name in order:
        fill = list(combinations(rest.neighbors(name), 2))
        graph.add_edges_from(fill)
        rest.add_edges_from(fill)
        rest.remove_node(name)
    return sum(prod(size[n] for n in clique) for clique in nx.find_cliques(graph))


def test_measurements_that_mix_cells_are_refused():
    assert diagonal(sparse.diags([1.0, 0.5])).tolist() == [1.0, 0.5]
    with pytest.raises(NotImplementedError, match="single cells"):
        diagonal(sparse.csr_array(np.ones((2, 2))))


class _Domain:
    def __init__(self, size):
        self.attrs, self._size = tuple(size), size

    def __getitem__(self, name):
        return self._size[name]
