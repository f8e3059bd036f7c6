# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A restore drill that restored nothing, timed nothing or tried no control has shown nothing."""

from __future__ import annotations

from ansible_collections.continuity.dr.plugins.plugin_utils.core.restore_drill import findings

RESTORES = [{"copy": key, "seconds": 9.0, "newest_row_age_seconds": 2.0} for key in (1, 2)]
CONTROLS = [{"name": "x", "copy": key, "expected": "not_proven", "seen": "not_proven"} for key in (1, 2)]


def test_what_was_restored_in_time_and_met_its_controls_is_well():
    assert findings(RESTORES, CONTROLS, 10.0, 5.0) == []


def test_a_drill_that_shows_nothing_does_not_pass():
    assert findings([], CONTROLS) == ["nothing was restored"]
    assert findings(RESTORES, []) == [f"no control was tried on copy {key}" for key in (1, 2)]
    assert findings(RESTORES, CONTROLS[:1]) == ["no control was tried on copy 2"]
    assert findings([{"copy": 1}], CONTROLS[:1]) == ["no restore of copy 1 was timed"]


def test_an_age_that_nobody_knows_meets_no_rpo():
    """As of a service without a canary: unknown is not new."""
    without = [{**each, "newest_row_age_seconds": None} for each in RESTORES]
    told = findings(without, CONTROLS, 10.0, 5.0)
    assert [each.partition(":")[0] for each in told] == ["not_measured"] * 2
    assert "newest row of copy 1" in told[0] and "the RPO is 5s" in told[0] and "canary" in told[0]
    assert findings([{"copy": 1, "seconds": 9.0}], CONTROLS[:1], 10.0, 5.0) == told[:1]
    assert findings(without, CONTROLS, 10.0) == [], "nothing was promised"


def test_a_control_that_passes_for_a_restore_is_named():
    taken = [{**CONTROLS[0], "seen": "restored"}, CONTROLS[1]]
    assert findings(RESTORES, taken) == ["control_not_met: x of copy 1 ended with restored, not with not_proven"]


def test_a_control_that_failed_for_another_reason_than_its_own_is_named():
    """A damaged page that ends with "no space left" has shown nothing of damaged pages."""
    other = [CONTROLS[0], {**CONTROLS[1], "seen": "restore_failed"}]
    assert findings(RESTORES, other) == ["control_not_met: x of copy 2 ended with restore_failed, not with not_proven"]
