# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A plan whose port, data directory and unit are those of two servers of one machine stops and fences neither."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from harness import overlaid_plan, run_verb

VERBS = [("assess", "dc2"), ("switchover", "dc2"), ("failover", "dc2"), ("failback", "dc1"), ("rejoin", "")]


@pytest.mark.parametrize(
    ("engine", "rule", "measured", "limit"),
    [
        (
            {"data_directory": "/var/lib/postgresql/15/payments"},
            "other_directory",
            "runs on /var/lib/postgresql/15/accounts",
            "/var/lib/postgresql/15/payments",
        ),
        ({"unit": "postgresql@15-payments.service"}, "other_unit", "postgresql@15-payments.service runs", "the unit"),
    ],
)
def test_what_belongs_to_two_servers_is_refused_by_every_verb(
    unchanged: None, tmp_path: Path, engine: dict[str, Any], rule: str, measured: str, limit: str
) -> None:
    overlay = tmp_path / "overlay.yml"
    overlay.write_text(json.dumps({"services": {"accounts-db": {"engine": engine}}}), encoding="utf-8")
    plan = overlaid_plan(overlay, tmp_path)
    for verb, site in VERBS:
        result = run_verb(verb, "scope=accounts-db", *([f"target_site={site}"] if site else []), plan=plan)
        assert result.rc == 2, result.output
        told = result.rules("accounts-db")[rule]
        assert measured in told["measured"] and limit in told["limit"] and "correct" in told["hint"], told
