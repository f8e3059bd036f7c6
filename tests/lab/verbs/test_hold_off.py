# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A service that fails again minutes after it was moved is moved once more only when a person says so."""

from __future__ import annotations

from pathlib import Path

from harness import changed_plan, lab, run_verb, writable

PORTS = {"db1": 5432, "db2": 5432}
BACK = ("scope=payments", "target_site=dc1")


def test_a_second_failover_is_held_off_until_it_is_acknowledged(healthy: None, tmp_path: Path) -> None:
    plan = changed_plan(tmp_path, ("hold_off: 0s", "hold_off: 30m"))
    assert run_verb("assess", "scope=payments", plan=plan).rc == 0
    lab("fault", "primary_crashed", "--member", "db1", "--service", "payments-db")
    assert run_verb("failover", "scope=payments", "target_site=dc2", plan=plan).rc == 0
    assert run_verb("rejoin", "scope=payments", plan=plan).rc == 0
    lab("fault", "primary_crashed", "--member", "db2", "--service", "payments-db")
    refused = run_verb("failover", *BACK, plan=plan)
    assert refused.rc != 0
    held = refused.rules("payments-db")["hold_off"]
    assert held["measured"].startswith("promoted "), held
    assert (held["limit"], writable(PORTS)) == ("30m", [])
    result = run_verb("failover", *BACK, "waive=hold_off", '{"reason": "db2 crashed after the move"}', plan=plan)
    assert result.rc == 0, result.output
    assert [waiver["rule"] for waiver in result.service("payments-db")["waivers"]] == ["hold_off"]
    assert writable(PORTS) == ["db1"]
