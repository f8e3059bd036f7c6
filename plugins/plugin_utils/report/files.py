# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Write a report's files, each at once: a reader sees the old file or the new one, never a half."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils.report import junit, markdown
from ansible_collections.continuity.dr.plugins.plugin_utils.report.page import document
from ansible_collections.continuity.dr.plugins.plugin_utils.report.source import ReportError

_NUMBERS = re.compile(r"\[\n[-0-9.e+,\s]+\]")


def _as_json(report: Mapping[str, Any]) -> str:
    """Indented, but a list of numbers on one line: a canary's counts would be hundreds of lines."""
    text = json.dumps(report, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    return _NUMBERS.sub(lambda found: " ".join(found[0].split()).replace("[ ", "[").replace(" ]", "]"), text)


#: file name and renderer of every format; json is the truth and always written
FORMATS: Mapping[str, tuple[str, Callable[[Mapping[str, Any]], str]]] = {
    "json": ("report.json", _as_json),
    "markdown": ("report.md", markdown.render),
    "junit": ("junit.xml", junit.render),
    "html": ("report.html", document.render),
}


def write(report: Mapping[str, Any], directory: Path | str, formats: Iterable[str] = tuple(FORMATS)) -> dict[str, str]:
    """Write the report into the run's directory and return the path of each format.

    In the order of FORMATS: the page, whose drawings take longest, after everything that a machine reads.

    Raises:
        ReportError: the directory cannot be written.
    """
    wanted = {"json", *formats}
    paths = {name: Path(directory) / FORMATS[name][0] for name in FORMATS if name in wanted}
    for name, path in paths.items():
        replace(path, FORMATS[name][1](report))
    return {name: str(path) for name, path in paths.items()}


def replace(path: Path, content: str) -> None:
    """Write a file at once.

    Raises:
        ReportError: it cannot be written.
    """
    try:
        _replace(path, content)
    except OSError as error:
        raise ReportError(f"{path} cannot be written: {error.strerror or error}") from error


def _replace(path: Path, content: str) -> None:
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        # A lone surrogate that a member sent must not cost the report: in JSON its escape means the same
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as handle:
            handle.write(content)
            handle.flush()
            os.fsync(handle.fileno())
        os.chmod(temporary, 0o644)  # mkstemp's 0600 would keep a CI server from collecting it
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
