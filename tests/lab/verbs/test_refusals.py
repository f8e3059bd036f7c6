# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Bad input is refused before anything is contacted, and a dead machine costs its bound once.

What is refused once a service was looked at is told by the stories in extensions/molecule/.
"""

from __future__ import annotations

import pytest
from harness import lab, run_verb


@pytest.mark.parametrize(
    ("verb", "arguments", "text"),
    [
        ("switchover", ("scope=payments", "source_site=dc1", "target_site=dc1"), "dc1"),
        ("failover", ("scope=payments", "target_site=dc2", "accept_data_loss=true"), "accept_data_loss"),
        ("failover", ("scope=payments", "target_site=dc2", "waive=everything"), "everything"),
        ("switchover", ("scope=payments", "target_site=dc2", "continuity_clam_seconds=60"), "continuity_clam_seconds"),
        ("switchover", ("scope=payments", "target_site=dc2", "--limit", "payments-db"), "--limit"),
        ("switchover", ("scope=payments", "target_site=dc2", "--tags", "x"), "--tags"),
        ("switchover", ("scope=payments", "target_site=dc2", "--skip-tags", "x"), "--skip-tags"),
        ("switchover", ("scope=payments", "target_site=dc2", "--start-at-task", "Decide"), "--start-at-task"),
    ],
)
def test_bad_input_is_refused_before_anything_is_contacted(verb: str, arguments: tuple[str, ...], text: str) -> None:
    result = run_verb(verb, *arguments)
    assert result.rc != 0
    assert text in result.output
    assert "TASK" not in result.output


def test_a_machine_that_dies_under_a_warm_connection_costs_its_bound_once(healthy: None) -> None:
    healthy_run = run_verb("assess", "scope=all")
    assert healthy_run.rc == 0
    lab("fault", "member_paused", "--member", "db1")
    result = run_verb("assess", "scope=all")
    lab("heal", "member_paused", "--member", "db1")
    assert result.rc != 0
    assert "db1 (dc1): unreachable" in str(result.report["services"])
    assert result.seconds < healthy_run.seconds + 4.5, "the bound is 3 s: twice would be 6"
