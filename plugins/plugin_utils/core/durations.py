# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Durations as a plan writes them (`90s 15m 4h 7d`) and as people read them (`1m 30s`)."""

from __future__ import annotations

import math
import re

UNITS = {"d": 86400, "h": 3600, "m": 60, "s": 1}
ALLOWED = "a number and a unit without a space, for example 0s, 90s, 15m, 4h, 7d"
LONGEST_SECONDS = 36500.0 * UNITS["d"]  # a hundred years: beyond it the value is a slip, not an objective

_WRITTEN = re.compile(r"(?P<number>[0-9]+(?:\.[0-9]+)?)(?P<unit>[smhd])", re.ASCII)
_BARE_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?", re.ASCII)
_NEGATIVE = re.compile(r"-[0-9. ]+[a-zA-Z]*", re.ASCII)
_SPELLED_OUT = re.compile(r"(?P<number>[0-9]+(?:\.[0-9]+)?)\s*(?P<unit>s|m|h|d)[a-z]*", re.ASCII | re.IGNORECASE)


class DurationError(ValueError):
    """A value that is not a duration.

    Attributes: `field` (what was read), `shown` (the value as quoted text), `problem` (what to do about it).
    `str()` gives all three: `rpo "30": give a unit, for example 30s, 5m`.
    """

    def __init__(self, field: str, value: object, problem: str) -> None:
        self.field = field
        self.shown = f'"{value}"'
        self.problem = problem
        super().__init__(f"{field} {self.shown}: {problem}")


def parse_duration(value: object, field: str = "duration") -> float:
    """Seconds of a written duration.

    `parse_duration("15m")` is `900.0`, `parse_duration("0s")` is `0.0`, `parse_duration("1.5h")` is `5400.0`.
    Raises DurationError, whose text names `field`, the value and what is allowed, for a missing unit, a negative
    number, not-a-number, words ("30 minutes") and everything else.
    """
    match = _WRITTEN.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise DurationError(field, value, _problem_with(value))
    seconds = float(match["number"]) * UNITS[match["unit"]]
    if seconds > LONGEST_SECONDS:
        raise DurationError(field, value, f"is longer than a hundred years; allowed: {ALLOWED}")
    return seconds


def format_duration(seconds: float) -> str:
    """Seconds as people read them, at most two units: `0s`, `0.18s`, `2.4s`, `1m 30s`, `4h`, `7d 2h`.

    Below a minute up to two decimals are kept, above it whole seconds. A negative value keeps its sign.
    Raises ValueError for NaN and infinity.
    """
    if not math.isfinite(seconds):
        raise ValueError(f"not a duration: {seconds}")
    sign, rest = ("-", -seconds) if seconds < 0 else ("", seconds)
    if round(rest, 2) < UNITS["m"]:
        text = f"{rest:.2f}".rstrip("0").rstrip(".")
        return f"{sign if text != '0' else ''}{text}s"
    whole, parts = round(rest), []
    for unit, size in UNITS.items():
        count, whole = divmod(whole, size)
        parts.append((count, unit))
    first = next(index for index, (count, unit) in enumerate(parts) if count)
    return sign + " ".join(f"{count}{unit}" for count, unit in parts[first : first + 2] if count)


def _problem_with(value: object) -> str:
    """What is wrong with a value that did not parse, as an instruction."""
    text = str(value).strip()
    if isinstance(value, bool) or value is None or text == "":
        return f"is not a duration; allowed: {ALLOWED}"
    if _BARE_NUMBER.fullmatch(text):
        return f"give a unit, for example {text}s, 5m"
    if _NEGATIVE.fullmatch(text):
        return f"must not be negative; allowed: {ALLOWED}"
    spelled = _SPELLED_OUT.fullmatch(text)
    if spelled and not text.lower().endswith(("ms", "mo", "month", "months")):
        return f"write it as {spelled['number']}{spelled['unit'].lower()}; allowed: {ALLOWED}"
    return f"is not a duration; allowed: {ALLOWED}"
