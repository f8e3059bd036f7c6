# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A run that was cut off and is refused when it is run again keeps nobody out, and takes nothing of another run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import fake_world
import pytest

MINE = "run-a"
TAKEN_AND_GIVEN_BACK = [["lease", "db1"], ["lease", "db2"], ["unlease", "db1"], ["unlease", "db2"]]


def verb(
    folder: Path, run_ansible: Any, *words: str, site: str = "target_site=dc2", **more: str
) -> tuple[int, list[list[str]], str]:
    """Exit code, what was done at the members of payments-db, and how its report says that it ended."""
    given = ["-e", f"continuity_run_id={MINE}", "-e", "scope=payments-db", "-e", site, *words]
    environment = {**fake_world.ENVIRONMENT, **more}
    done = run_ansible("playbook", "-i", "hosts.yml", "-i", "plan.yml", *given, **environment)
    report = folder / "runs" / MINE / "report.json"
    assert report.exists(), done.stdout
    acts = fake_world.done(folder, leases=True)
    (service,) = json.loads(report.read_text())["services"]
    return done.returncode, [each[1:] for each in acts if each[0] == "payments-db"], service["verdict"]


def test_a_refused_run_gives_back_what_it_took_before_it_was_cut_off(tmp_path, run_ansible):
    fake_world.lay(tmp_path)
    ended = verb(tmp_path, run_ansible, "continuity.dr.failover", TEST_HELD=f"{MINE} 60")
    assert ended == (2, TAKEN_AND_GIVEN_BACK, "refused"), "the primary is alive"


@pytest.mark.parametrize(
    ("words", "held"),
    [((), "run-b 60"), ((), f"{MINE} 29"), (("--check",), f"{MINE} 60"), ((), "")],
    ids=["another run's", "a step of a moment ago", "check mode", "nothing held"],
)
def test_what_may_be_at_work_or_is_not_its_own_is_left(tmp_path, run_ansible, words, held):
    fake_world.lay(tmp_path)
    ended = verb(tmp_path, run_ansible, "continuity.dr.failover", *words, TEST_HELD=held)
    assert ended == (2, [], "refused")


def test_a_run_that_is_carried_out_gives_back_once(tmp_path, run_ansible):
    fake_world.lay(tmp_path)
    rc, acts, verdict = verb(tmp_path, run_ansible, "continuity.dr.switchover", TEST_HELD=f"{MINE} 60")
    assert (rc, verdict) == (0, "not_measured")
    assert [act for act in acts if act[0] == "unlease"] == [["unlease", "db1"], ["unlease", "db2"]]


def test_a_run_whose_goal_is_reached_gives_back_also_where_it_is_told_the_site_that_is_left(tmp_path, run_ansible):
    """It was cut off after it had moved the record: nothing names that site as the primary's any more."""
    fake_world.lay(tmp_path)
    ended = verb(tmp_path, run_ansible, "continuity.dr.failover", site="source_site=dc2", TEST_HELD=f"{MINE} 60")
    assert ended == (0, TAKEN_AND_GIVEN_BACK, "passed")
