# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import pytest
from fake_action import made

from ansible_collections.continuity.dr.plugins.action.fence_evidence import ActionModule


@pytest.mark.parametrize(
    ("state", "level", "gives", "answers"),
    [
        ("off", 3, 3, True),
        ("stopped", 3, 3, True),
        ("isolated", 2, 2, True),
        ("on", None, 1, True),
        ("open", None, 1, True),
        ("unknown", None, None, False),
    ],
)
def test_a_role_of_others_leaves_what_it_read_and_the_ladder_says_what_it_is_worth(state, level, gives, answers):
    args = {"service": "shop", "member": "db1", "source": "fence_x", "state": state, "gives": 1, "text": "as read"}
    result = made(ActionModule, args).run(task_vars={"ansible_facts": {"continuity_fenced": {"db9": 1.0}}})
    kept = result["ansible_facts"]["continuity_fence_evidence"]["db1 fence_x"]
    assert (result["level"], kept["level"], kept["gives"], kept["answers"]) == (level, level, gives, answers)
    assert kept["text"] == "as read" and kept["time"]
    assert ("continuity_fenced" in result["ansible_facts"]) is (level is not None)


def test_the_first_proof_is_the_time_from_which_no_write_may_come():
    args = {"service": "shop", "member": "db1", "source": "fence_x", "state": "off", "text": "as read"}
    result = made(ActionModule, args).run(task_vars={"ansible_facts": {"continuity_fenced": {"db1": 1.0}}})
    assert "continuity_fenced" not in result["ansible_facts"]
