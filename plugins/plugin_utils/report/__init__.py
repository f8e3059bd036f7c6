# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The report of a run: built from its directory, written as JSON, Markdown and JUnit, compared over time.

Example:
    report = build("runs/20261122T031500Z-3f9a")
    paths = write(report, "runs/20261122T031500Z-3f9a")
    print("\\n".join(summary_lines(report, paths["markdown"])))
"""

from __future__ import annotations

from ansible_collections.continuity.dr.plugins.plugin_utils.report.build import build
from ansible_collections.continuity.dr.plugins.plugin_utils.report.compare import (
    Compared,
    History,
    Skipped,
    compare,
    compare_lines,
    history,
    history_lines,
    newest,
)
from ansible_collections.continuity.dr.plugins.plugin_utils.report.console import (
    failure_line,
    failure_text,
    summary_lines,
)
from ansible_collections.continuity.dr.plugins.plugin_utils.report.files import FORMATS, write
from ansible_collections.continuity.dr.plugins.plugin_utils.report.page.history import write_history
from ansible_collections.continuity.dr.plugins.plugin_utils.report.source import ReportError

__all__ = [
    "FORMATS",
    "Compared",
    "History",
    "ReportError",
    "Skipped",
    "build",
    "compare",
    "compare_lines",
    "failure_line",
    "failure_text",
    "history",
    "history_lines",
    "newest",
    "summary_lines",
    "write",
    "write_history",
]
