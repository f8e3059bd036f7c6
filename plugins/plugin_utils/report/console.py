# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The few lines that a verb prints at its end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils.report import text
from ansible_collections.continuity.dr.plugins.plugin_utils.report.stage import MOVING

#: Services that a failing run names; the table above has all.
MOST_NAMED = 5
_HEADINGS = ("service", "way", "outage", "RTO", "loss", "RPO", "verdict")


def summary_lines(report: Mapping[str, Any], path: str = "") -> list[str]:
    """A table with one line a service, then what is wrong and what to run next. Plain ASCII, for a CI log too.

    `path`: the report's file, named in the last line.
    """
    lines = [_headline(report), ""]
    rows = []
    for service in report["services"]:
        rows.append(_row(service["service"], service))
        telling = [each for each in service["stages"] if _tells(each)]
        rows += [_row(f"  {each['stage']}", each) for each in telling if len(telling) > 1]
    lines += _table([_HEADINGS, *rows])
    for service in report["services"]:
        lines += _explain(service)
    return lines + (["", f"report: {path}"] if path else [])


def failure_text(report: Mapping[str, Any], path: str = "") -> str:
    """What a failing run says: the verdict, each failing service's reasons and next command, the report's file."""
    lines = [_headline(report)]
    for service in report["services"]:
        if service["fails"]:
            lines += [f"{service['service']}: {text.VERDICT_TEXT[service['verdict']]}", *_explain(service, "  ")]
    if not report["services"]:
        lines.append("no service took part in this run")
    return "\n".join(lines + ([f"report: {path}"] if path else []))


def failure_line(report: Mapping[str, Any], path: str = "") -> str:
    """What a failing run says below its summary, which has the reasons."""
    failing = [service["service"] for service in report["services"] if service["fails"]]
    named = ", ".join(failing[:MOST_NAMED]) + (f" and {len(failing) - MOST_NAMED} more" if failing[MOST_NAMED:] else "")
    return (
        f"{_headline(report)}: {named or 'no service took part'}. Why stands above{f' and in {path}' if path else ''}"
    )


def _headline(report: Mapping[str, Any]) -> str:
    checked = " (check mode: nothing was changed)" if report["check_mode"] else ""
    return f"{report['verb']} {report['run_id']}: {text.VERDICT_TEXT[report['verdict']]}{checked}"


def _tells(stage: Mapping[str, Any]) -> bool:
    """A baseline or a rejoin that went well has no number to show."""
    return stage["stage"] in MOVING or stage["verdict"] not in ("passed", "nothing_to_do")


def _row(name: str, entry: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        name,
        text.way(entry),
        text.outage(entry),
        text.duration(entry["rto"]["objective_seconds"], "none"),
        text.loss(entry),
        text.duration(entry["rpo"]["objective_seconds"], "none"),
        text.VERDICT_TEXT[entry["verdict"]].lower(),
    )


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(value.ljust(width) for value, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _explain(service: Mapping[str, Any], indent: str = "") -> list[str]:
    """Reasons, unmet rules and the next command; nothing for a service of which the table says all."""
    told = [*service["reasons"], *([text.said(service)] if text.said(service) and service["fails"] else [])]
    for each in service["refusals"]:
        limits = f" (measured: {each['measured'] or '-'}; limit: {each['limit'] or '-'})"
        told.append(f"{each['rule']}: {each['message']}{limits}" + (f". Next: {each['hint']}" if each["hint"] else ""))
    told += [f"could have been done: {each['name']} {each['message']}".rstrip() for each in service["degradations"]]
    told += [f"note: {each}" for each in service["notes"]]
    if service["redundancy"]:
        told.append(f"redundancy: {service['redundancy']['state']}")
    if service["next_command"]:
        told.append(f"next: {service['next_command']}")
    name = indent or f"{service['service']}: "
    return [f"{name}{' '.join(each.split())}" for each in dict.fromkeys(told)]
