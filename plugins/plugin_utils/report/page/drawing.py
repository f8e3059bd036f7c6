# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The canvas of a page's drawings: matplotlib in, an SVG that is part of the page out.

Imported only when there is something to draw: matplotlib costs more than half a second. Lengths are CSS pixels. Colours
are names of the page's CSS variables, so a drawing follows light and dark; text stays text.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from ansible_collections.continuity.dr.plugins.plugin_utils.report.page.fields import short, visible

if TYPE_CHECKING:
    from matplotlib.axes import Axes

try:
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure
    from matplotlib.transforms import ScaledTranslation
except ImportError as error:
    MISSING: ImportError | None = error
else:
    MISSING = None

WIDTH = 780
#: CSS variables in the place of colours; matplotlib only knows real colours, so each has one that nobody else uses
_NAMES = (
    *("ink", "muted", "line", "grid", "panel", "accent", "good", "warn", "bad", "allow-a", "allow-b"),
    *("detect", "decide", "fence", "promote", "redirect", "verify", "client", "idle"),
)
_HEX = {name: f"#01f0{number:02x}" for number, name in enumerate(_NAMES, start=1)}
_STYLE: Any = {
    "font.size": 12,
    "svg.hashsalt": "continuity",  # the same drawing has the same bytes
    "svg.fonttype": "none",  # text as text: it can be read aloud, found and copied
    "text.parse_math": False,  # a name with two dollars is no formula
    "text.color": _HEX["ink"],
    "axes.edgecolor": _HEX["line"],
    "axes.labelcolor": _HEX["muted"],
    "axes.labelsize": 11,
    "xtick.color": _HEX["muted"],
    "ytick.color": _HEX["muted"],
    "xtick.labelsize": 11,
    "ytick.labelsize": 12,
    "ytick.labelcolor": _HEX["ink"],
    "hatch.linewidth": 1.0,
    "hatch.color": _HEX["panel"],
}


#: distances of marks on a time axis, in seconds
_MARKS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14400, 43200)


class Canvas:
    """One drawing. `height` and every other length in pixels of a page that is as wide as the drawing."""

    def __init__(self, name: str, title: str, description: str, height: float) -> None:
        self.name, self.title, self.description, self.height = name, title, description, height
        self.figure = Figure(figsize=(WIDTH / 72, height / 72), dpi=72)
        self.figure.patch.set_visible(False)
        FigureCanvasSVG(self.figure)

    def axes(self, left: float, top: float, right: float, bottom: float, **options: Any) -> Axes:
        """A coordinate system that leaves these margins."""
        box = (
            left / WIDTH,
            bottom / self.height,
            (WIDTH - left - right) / WIDTH,
            (self.height - top - bottom) / self.height,
        )
        axes = self.figure.add_axes(box, **options)
        axes.patch.set_visible(False)
        axes.tick_params(length=0, pad=5)
        for side in ("top", "right", "left"):
            axes.spines[side].set_visible(False)
        axes.set_axisbelow(True)
        return axes

    def shift(self, axes: Axes, right: float = 0, up: float = 0) -> Any:
        """The coordinates of `axes`, moved by so many pixels."""
        return axes.transData + ScaledTranslation(right / 72, up / 72, self.figure.dpi_scale_trans)

    def svg(self) -> str:
        """The drawing as an element of a page."""
        out = io.StringIO()
        self.figure.savefig(out, format="svg", metadata={"Date": None})
        return _for_page(out.getvalue(), self.name, self.title, self.description)


def colour(name: str) -> str:
    """The stand-in of a CSS variable."""
    return _HEX[name]


def drawn(make: Callable[[], Canvas]) -> str:
    """The SVG of a canvas that `make` draws, in the page's style and without warnings about exotic letters."""
    with warnings.catch_warnings(), rc_context(_STYLE):
        warnings.simplefilter("ignore")  # a letter that the measuring font lacks is drawn by the reader's own
        return make().svg()


def label(value: Any, most: int = 26) -> str:
    """A name that fits beside a drawing; the tables have it in full."""
    line = " ".join(visible(value).split())
    return line if len(line) <= most else line[: most - 1] + "…"


def open_end(axes: Axes, at: float, row: float, ink: str) -> None:
    """Marks a bar that goes on to an end which nobody saw."""
    axes.plot([at], [row], marker=">", markersize=7, color=colour(ink), linewidth=0, clip_on=False, zorder=3)


def field(path: str) -> str:
    """Marks a text as the value of a field of report.json."""
    return f"field:{path}"


def ticks_of_seconds(axes: Axes, most: float) -> None:
    """At most eight round marks on the x axis."""
    step = next((each for each in _MARKS if most / each <= 8), most)
    count = int(most / step) + 1
    axes.set_xticks([step * number for number in range(count)], [short(step * number) for number in range(count)])
    axes.grid(axis="x", color=colour("grid"), linewidth=1)


def rows(axes: Axes, labels: Sequence[str]) -> None:
    """One row a label, the first one on top."""
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.set_yticks(range(len(labels)), labels)


def _for_page(svg: str, name: str, title: str, description: str) -> str:
    """matplotlib's file as an element: no namespace, no ids that another drawing has too, colours by variable."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<!--.*?-->|<metadata>.*?</metadata>|<style[^>]*>.*?</style>", "", svg, flags=re.DOTALL)
    head, body = svg.split(">", 1)
    box = re.search(r'viewBox="([^"]*)"', head)
    body = re.sub(r"#01f0([0-9a-f]{2})", lambda found: f"var(--{_NAMES[int(found[1], 16) - 1]})", body)
    body = re.sub(r' id="field:([^"]*)"', r' data-field="\1"', body)
    used = set(re.findall(r'url\(#([^)]*)\)|href="#([^"]*)"', body))
    wanted = {each for pair in used for each in pair if each}
    body = re.sub(r' id="([^"]*)"', lambda found: f' id="{name}-{found[1]}"' if found[1] in wanted else "", body)
    body = body.replace("xlink:href", "href").replace("url(#", f"url(#{name}-").replace('href="#', f'href="#{name}-')
    body = re.sub(r"font-family: [^;\"]*;? ?|; font-family: [^;\"]*", "", body)
    body = re.sub(r"font: ([0-9.]+px) [^;\"]*", r"font-size: \1", body)
    return (
        f'<svg class="drawing" role="img" aria-labelledby="{name}-title {name}-desc" viewBox="{box[1] if box else ""}">'
        f'<title id="{name}-title">{escape(visible(title))}</title>'
        f'<desc id="{name}-desc">{escape(visible(description))}</desc>{body}'
    )
