# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The published schema refuses what no report may hold, and the guide tells of every field and verdict."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest

from ansible_collections.continuity.dr.plugins.plugin_utils.core.verdict import VERDICTS

DOCS = next(parent for parent in Path(__file__).parents if (parent / "docs/report.md").is_file()) / "docs"


def change(report, path, value):
    changed = copy.deepcopy(report)
    *parents, last = path
    place = changed
    for name in parents:
        place = place[name]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return changed


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("schema",), 2),
        (("verdict",), "green"),
        (("surplus",), 1),
        (("services", 0, "surplus"), 1),
        (("services", 0, "stages", 0, "surplus"), 1),
        (("services", 0, "rto", "measured_seconds"), -1),
        (("services", 0, "rto", "measured_seconds"), "2.41"),
        (("services", 0, "rto", "phases", "client"), None),
        (("services", 0, "rpo", "source"), "guess"),
        (("services", 0, "rpo", "lost"), 0.5),
        (("services", 0, "next_command"), None),
        (("services", 0, "steps", 0, "state"), "ok"),
        (("started",), "2026-11-22 03:15:00"),
        (("journal", 0, "head", "hash"), "abc"),
    ],
)
def test_what_is_no_report_is_refused(drill, report_of, schema, path, value):
    report = report_of(drill().canary(stage="failover"))
    assert schema.is_valid(report)
    assert not schema.is_valid(change(report, path, value))


def test_the_guide_explains_every_verdict_in_their_order():
    text = (DOCS / "report.md").read_text()
    found = [
        line.split("`")[1] for line in text.split("## RTO")[0].split("\n") if line.startswith("| `") and "|" in line[2:]
    ]
    assert [verdict for verdict in found if verdict in VERDICTS] == list(VERDICTS)


def test_the_guide_names_every_field_of_a_service(drill, report_of):
    text = (DOCS / "report.md").read_text()
    report = report_of(drill())
    service = set(report["services"][0]) - {"service", "function", "tier", "stage", "trigger"}
    assert [
        name
        for name in {*report, *service} - {"schema", "services"}
        if f"{name}`" not in text and f"{name}[" not in text
    ] == []
