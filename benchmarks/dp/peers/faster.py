"""How does dpmm's inference come to the same model in less time?

``install()`` replaces, in the running process, three functions of dpmm 0.1.9 by ones that return the same up to
rounding; ``compare_faster.py`` checks that. Rounds, iterations, noise, scores and choices stay dpmm's own.

- ``FactoredInference.mirror_descent``: dpmm holds the log-potential of a clique as one table of all its cells, although
  it is a sum of the small measured tables, and does each step through numpy objects. Here the sums stay apart, and
  ``calibrate.c`` does the same belief propagation, loss, gradient and line search, as often (``layout.py``).
- ``GraphicalModel.project`` onto two columns that share no clique: dpmm eliminates all other columns anew for each
  pair; here the joint table is carried along the junction tree (``junction.py``).
- ``aim.filter_candidates``: dpmm builds a junction tree per candidate to learn its size; here the same greedy
  elimination gives the size alone (``junction.py``).

Needs dpmm's environment and a C compiler, ``cc``.
"""

from __future__ import annotations

import ctypes
import importlib
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.dp.peers.junction import Across, Sizes
from benchmarks.dp.peers.layout import Names, Pieces, Plan

SOURCE = Path(__file__).with_name("calibrate.c")
FLAGS = ("-O3", "-march=native", "-fopenmp-simd", "-fno-math-errno", "-fno-trapping-math", "-shared", "-fPIC")


def install() -> Callable[[], None]:
    """Replace dpmm's functions by the ones above; returns what puts dpmm's own back.

    Raises
    ------
    subprocess.CalledProcessError
        ``calibrate.c`` does not compile here.
    """
    inference: Any = importlib.import_module("dpmm.models.base.mbi.inference").FactoredInference
    graphical: Any = importlib.import_module("dpmm.models.base.mbi.graphical_model").GraphicalModel
    factor: Any = importlib.import_module("dpmm.models.base.mbi").Factor
    vector: Any = importlib.import_module("dpmm.models.base.mbi").CliqueVector
    aim: Any = importlib.import_module("dpmm.models.aim")
    library = compiled()
    own = inference.mirror_descent, graphical.project, aim.filter_candidates

    def mirror_descent(
        self: Any, measurements: list[Any], total: Any = None, stepsize: Any = None, callback: Any = None
    ) -> float:
        if stepsize is not None or callback is not None or self.metric != "L2" or len(self.structural_zeros):
            raise NotImplementedError("only mirror descent with its line search, without structural zeros")
        warm = self.warm_start
        old: Pieces = self.model.pieces if warm and hasattr(self, "model") else {}
        self.warm_start = False  # here, not cell by cell in _setup
        self._setup(measurements, total)
        self.warm_start = warm
        model = self.model
        plan = Plan(model.domain, model.cliques, model.junction_tree.tree, float(model.total))
        plan.fill(self.groups, warm_started(old, model.cliques))
        loss = plan.descend(library, self.iters)
        model.pieces, model.potentials = plan.pieces(), None
        model.marginals = vector({c: factor(model.domain.project(c), plan.marginal(library, c)) for c in model.cliques})
        return loss

    def project(self: Any, attrs: Any) -> Any:
        wanted = tuple(attrs)
        if len(wanted) != 2 or any(set(wanted) <= set(clique) for clique in self.cliques):
            return own[1](self, wanted)
        if not hasattr(self, "across"):
            tree = self.junction_tree.tree
            self.across = Across(self.cliques, tree, lambda clique, to: self.marginals[clique].project(to).values)
        return factor(self.domain.project(wanted), self.across.joint(*wanted))

    def filter_candidates(
        candidates: Mapping[Names, float], model: Any, size_limit: float | None
    ) -> dict[Names, float]:
        free = set(aim.downward_closure(model.cliques))
        sizes = Sizes(model.domain.attrs, model.domain.shape, model.cliques)
        return {
            clique: score
            for clique, score in candidates.items()
            if size_limit is None or clique in free or sizes.with_one_more(clique) * 8 / 2**20 <= size_limit
        }

    def put(functions: tuple[Any, Any, Any]) -> None:
        inference.mirror_descent, graphical.project, aim.filter_candidates = functions

    put((mirror_descent, project, filter_candidates))
    return lambda: put(own)


def compiled() -> ctypes.CDLL:
    """``calibrate.c`` as a shared library, compiled for this very processor."""
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "calibrate.so"
        command = ["cc", *FLAGS, "-o", str(library), str(SOURCE), "-lm"]
        subprocess.run(command, check=True)  # noqa: S603  # our own source, fixed arguments
        loaded = ctypes.CDLL(str(library))
    loaded.descend.restype = ctypes.c_double
    return loaded


def warm_started(old: Pieces, cliques: Sequence[Names]) -> Pieces:
    """The potentials of the last model, each in the first new clique that holds its own; others are dropped.

    What dpmm does with whole tables in ``CliqueVector.combine``.
    """
    pieces: Pieces = {clique: {} for clique in cliques}
    for clique, tables in old.items():
        home = next((new for new in cliques if set(clique) <= set(new)), None)
        if home is not None:
            for names, values in tables.items():
                pieces[home][names] = pieces[home][names] + values if names in pieces[home] else values
    return pieces
