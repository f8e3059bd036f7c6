# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""report.md: for a terminal and for a merge request, verdict first."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ansible_collections.continuity.dr.plugins.plugin_utils.report import text
from ansible_collections.continuity.dr.plugins.plugin_utils.report.kept import KeptTemplates

TEMPLATES = Path(__file__).resolve().parent / "templates"
_BEGINS_A_BLOCK = re.compile(r"(?:#+|[-+]|\d+[.)])(?: |$)|>|~~~|---")


def render(report: Mapping[str, Any]) -> str:
    """The report as Markdown."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        bytecode_cache=KeptTemplates(),
        undefined=StrictUndefined,
        autoescape=False,  # Markdown; what members said goes through `cell` or `quoted`
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(
        as_given=text.as_given,
        cell=cell,
        duration=text.duration,
        outage=text.outage,
        loss=text.loss,
        result=text.result,
        way=text.way,
        rows=text.rows,
        words=text.words,
        measured=text.measured,
        moves=text.moves,
        counted=text.counted,
        phase_texts=text.phase_texts,
        said=text.said,
        verdict=text.VERDICT_TEXT.__getitem__,
    )
    rendered = environment.get_template("report.md.j2").render(report=report)
    return re.sub(r"\n{3,}", "\n\n", rendered).rstrip() + "\n"


def cell(value: Any) -> str:
    """Text for one line of Markdown: what a member said must not become a column, HTML, an image or a link.

    Nor a heading, a list, or a fence that hides all that follows.
    """
    line = " ".join(str("" if value is None else value).split())
    line = re.sub(r"([\\|`*\[\]<]|:(?=//))", r"\\\1", line)
    return re.sub(r"^(\d*)([#>~+.)-])", r"\1\\\2", line) if _BEGINS_A_BLOCK.match(line) else line
