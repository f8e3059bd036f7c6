# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Numbers and times of a page, each with the path of the field in report.json that it was taken from.

    <data value="3.487775" data-field="services.0.rto.measured_seconds">3.49s</data>

So a test, or a reader's own tool, can hold the page against the report.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from ansible_collections.continuity.dr.plugins.plugin_utils.core.durations import format_duration
from ansible_collections.continuity.dr.plugins.plugin_utils.report import text

#: characters that do not show, or that turn the direction of what follows: a name must not hide or reorder anything
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)


def visible(value: Any) -> str:
    """Text in which every hidden character is shown by its number: `\\u202e`."""
    return _HIDDEN.sub(lambda found: f"\\u{ord(found[0]):04x}", "" if value is None else str(value))


def short(seconds: float) -> str:
    """`3.49s`, `6m 3s`; below a hundredth all digits, or it would read as 0."""
    return text.duration(seconds) if seconds < 0.01 else format_duration(seconds)


class Fields:
    """Reads fields of a report by their path: `services.0.rto.measured_seconds`."""

    def __init__(self, report: Mapping[str, Any]) -> None:
        self.report = report

    def value(self, path: str) -> Any:
        """The field; `length` at the end of a path is the length of that list."""
        found: Any = self.report
        for name in path.split("."):
            if isinstance(found, (list, tuple)):
                found = len(found) if name == "length" else found[int(name)]
            else:
                found = found[name]
        return found

    def seconds(self, path: str, unknown: str = text.UNKNOWN) -> Markup:
        """A duration."""
        value = self.value(path)
        return _unknown(path, unknown) if value is None else _data(path, value, short(value))

    def count(self, path: str, unknown: str = text.UNKNOWN) -> Markup:
        """A number of something."""
        value = self.value(path)
        return _unknown(path, unknown) if value is None else _data(path, value, f"{value:,}".replace(",", "\u202f"))

    def number_of(self, verdict: str) -> Markup:
        """How many services have this verdict."""
        count = sum(service["verdict"] == verdict for service in self.report["services"])
        return Markup('<data value="{}" data-verdict="{}">{}</data>').format(count, verdict, count)

    def day(self, path: str) -> Markup:
        """`2026-11-22 05:56:12 UTC`."""
        value = self.value(path)
        shown = "" if value is None else f"{value[:10]} {value[11:19]} UTC"
        return _time(path, value, shown)

    def minute(self, path: str) -> Markup:
        """`2026-11-22 05:56`, where the page says that times are UTC."""
        value = self.value(path)
        return _time(path, value or None, f"{(value or '')[:10]} {(value or '')[11:16]}")

    def clock(self, path: str) -> Markup:
        """`05:56:12.917`."""
        value = self.value(path)
        return _time(path, value, "" if value is None else value[11:23])


def _data(path: str, value: Any, shown: str) -> Markup:
    return Markup('<data value="{}" data-field="{}">{}</data>').format(value, path, shown)


def _time(path: str, value: str | None, shown: str) -> Markup:
    if value is None:
        return _unknown(path, "not known")
    return Markup('<time datetime="{}" data-field="{}">{}</time>').format(value, path, shown)


def _unknown(path: str, shown: str) -> Markup:
    return Markup('<span class="unknown" data-field="{}">{}</span>').format(path, shown)
