"""How does a matplotlib figure become a picture inside the page: themed, named, self-contained, always the same bytes?

Colours are placeholders that turn into the page's CSS variables, so one picture serves light, dark and print. Words
that come from outside (column names, categories) never pass through matplotlib, where ``$`` is mathematics and a
foreign letter a warning: a token stands in for them until the SVG is written.
"""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Mapping
from xml.etree import ElementTree as ET

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from audit.report.wording import printable

INK, QUIET, LINE, REAL, SYNTHETIC = "#000001", "#000002", "#000003", "#000004", "#000005"
_VARIABLES = {INK: "--ink", QUIET: "--quiet", LINE: "--line", REAL: "--real", SYNTHETIC: "--synthetic"}
TEXT_SIZE = 11.0
_RENDERING = threading.Lock()  # rc_context swaps matplotlib's global settings while a picture is written


def canvas(width: int, height: int, box: tuple[float, float, float, float]) -> tuple[Figure, Axes]:
    """A transparent figure of ``width`` x ``height`` CSS pixels and axes at ``box`` (left, top, right, bottom)."""
    figure = Figure(figsize=(width / 72, height / 72), dpi=72)
    FigureCanvasSVG(figure)
    figure.patch.set_visible(False)
    left, top, right, bottom = box
    axes = figure.add_axes((left / width, 1 - bottom / height, (right - left) / width, (bottom - top) / height))
    axes.patch.set_visible(False)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(LINE)
    axes.tick_params(length=0, labelsize=TEXT_SIZE, labelcolor=QUIET, pad=4)
    axes.set_axisbelow(True)
    return figure, axes


def picture(
    figure: Figure, *, key: str, title: str, description: str, words: Mapping[str, str] | None = None
) -> Markup:
    """The figure as inline SVG with an accessible name.

    ``key`` is unique in the page and starts every id; ``words`` replaces tokens drawn as text by words from outside.
    """
    stream = io.StringIO()
    with _RENDERING, mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": key, "path.simplify": False}):
        figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    root = ET.fromstring(stream.getvalue())  # noqa: S314  # written two lines above, not read from outside
    _strip(root)
    _rename(root, key, words or {})
    for tag in ("width", "height"):
        root.attrib.pop(tag, None)
    root.attrib.update({"role": "img", "class": "plot", "aria-labelledby": f"{key}-t", "aria-describedby": f"{key}-d"})
    for place, (suffix, text) in enumerate((("t", title), ("d", description))):
        element = ET.Element("title" if suffix == "t" else "desc", {"id": f"{key}-{suffix}"})
        element.text = printable(text)
        root.insert(place, element)
    return Markup(ET.tostring(root, encoding="unicode", short_empty_elements=True))  # noqa: S704  # escaped by it


def _strip(element: ET.Element) -> None:
    """Drop metadata, style sheets and clip paths (all drawing stays inside its axes), and groups left empty."""
    for child in list(element):
        name = _local(child.tag)
        if name in ("metadata", "style", "clipPath"):
            element.remove(child)
            continue
        _strip(child)
        if name in ("g", "defs") and len(child) == 0:
            element.remove(child)


def _rename(root: ET.Element, key: str, words: Mapping[str, str]) -> None:
    """Plain names without namespaces, ids only where they are used, page colours, the page's font, outside words."""
    used = {value[1:] for e in root.iter() for name, value in e.attrib.items() if _local(name) == "href"}
    for element in root.iter():
        element.tag = _local(element.tag)
        attributes = {_local(name): value for name, value in element.attrib.items() if _local(name) != "clip-path"}
        if "id" in attributes:
            if attributes["id"] in used:
                attributes["id"] = f"{key}-{attributes['id']}"
            else:
                del attributes["id"]
        if attributes.get("href", "").startswith("#"):
            attributes["href"] = f"#{key}-{attributes['href'][1:]}"
        elif "href" in attributes:
            attributes["href"] = re.sub(r"\s", "", attributes["href"])  # data:image/png in base64, broken in lines
        if "style" in attributes:
            attributes["style"] = _styled(attributes["style"])
        if "d" in attributes:
            attributes["d"] = _rounded(attributes["d"])
        if element.tag == "text" and attributes.get("transform", "").startswith("rotate(-0 "):
            del attributes["transform"]
        element.attrib.clear()
        element.attrib.update(attributes)
        if element.tag == "text" and element.text is not None and element.text in words:
            element.text = printable(words[element.text])
        elif element.tag != "text":
            element.text = None
        element.tail = None


def _styled(style: str) -> str:
    style = re.sub(r"\s*font-family:[^;]*;?", "", style)
    for colour, variable in _VARIABLES.items():
        style = style.replace(colour, f"var({variable})")
    return style.strip().rstrip(";")


def _rounded(path: str) -> str:
    """Coordinates to a hundredth of a pixel."""
    short = re.sub(r"-?\d+\.\d{3,}", lambda found: f"{float(found.group()):.2f}".rstrip("0").rstrip("."), path)
    return re.sub(r"\s+", " ", short).strip()


def _local(name: str) -> str:
    return name.rpartition("}")[2]
