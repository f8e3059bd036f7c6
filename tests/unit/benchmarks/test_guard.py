# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the guard plants to be noticed lies in the way of every change of a record."""

from __future__ import annotations

import json
import time

from benchmarks import guard
from benchmarks.where import BOUNDS, CHECKOUT


class ActionModule:
    def _switch(self, args, opened=None):
        return args, opened


def test_the_planted_delay_lies_in_the_way_of_a_switch_and_of_one_that_was_armed():
    names = {"ActionModule": ActionModule}
    exec(guard.DELAY.format(seconds=0.05), names)
    started = time.monotonic()
    assert ActionModule()._switch({"name": "a"}) == ({"name": "a"}, None)
    assert ActionModule()._switch({"name": "a"}, "open") == ({"name": "a"}, "open")
    assert time.monotonic() - started >= 0.1


def test_what_it_is_planted_into_is_there():
    source = (CHECKOUT / "plugins" / "action" / "dns_switch.py").read_text(encoding="utf-8")
    assert "def _switch(self, args: dict[str, Any], opened: Client | None = None)" in source


def test_a_bound_is_nearer_to_the_goal_than_to_what_is_planted():
    bound = json.loads(BOUNDS.read_text(encoding="utf-8"))["continuity_switchover"]
    goal, floor_seconds, planted = 1.5, 0.2, 0.3
    assert goal < bound < goal + planted / floor_seconds
