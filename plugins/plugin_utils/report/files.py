# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Write a report's files, each at once: a reader sees the old file or the new one, never a half."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils.report import junit, markdown
from ansible_collections.continuity.dr.plugins.plugin_utils.report.source import ReportError


def _as_json(report: Mapping[str, Any]) -> str:
    return json.dumps(report, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


#: file name and renderer of every format; json is the truth and always written
FORMATS: Mapping[str, tuple[str, Callable[[Mapping[str, Any]], str]]] = {
    "json": ("report.json", _as_json),
    "markdown": ("report.md", markdown.render),
    "junit": ("junit.xml", junit.render),
}


def write(report: Mapping[str, Any], directory: Path | str, formats: Iterable[str] = tuple(FORMATS)) -> dict[str, str]:
    """Write the report into the run's directory and return the path of each format.

    Raises:
        ReportError: the directory cannot be written.
    """
    wanted = dict.fromkeys(["json", *formats])
    texts = {name: FORMATS[name][1](report) for name in wanted}
    paths = {name: Path(directory) / FORMATS[name][0] for name in wanted}
    for name, path in paths.items():
        try:
            _replace(path, texts[name])
        except OSError as error:
            raise ReportError(f"{path} cannot be written: {error.strerror or error}") from error
    return {name: str(path) for name, path in paths.items()}


def _replace(path: Path, content: str) -> None:
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as handle:
            handle.write(content)
            handle.flush()
            os.fsync(handle.fileno())
        os.chmod(temporary, 0o644)  # mkstemp's 0600 would keep a CI server from collecting it
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
