"""How are the components weighted?"""

from synth.selection.joint import Rows, borders
from synth.selection.reward import Fold
from synth.selection.select import select, unselected
from synth.selection.trace import Point, SelectionTrace, Terms

__all__ = ["Fold", "Point", "Rows", "SelectionTrace", "Terms", "borders", "select", "unselected"]
