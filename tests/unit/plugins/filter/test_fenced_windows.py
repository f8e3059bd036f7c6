# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from ansible_collections.continuity.dr.plugins.filter.fenced_windows import FilterModule


def test_the_facts_of_a_service_become_what_its_canary_watches():
    walk = {"members": {"db1": {"address": "198.51.100.11"}}, "steps": {}, "started": 1.0}
    fenced_windows = FilterModule().filters()["fenced_windows"]
    assert fenced_windows({"continuity_walk": walk, "continuity_fenced": {"db1": 1795318476.6}}) == [
        {"member": "db1", "addresses": ["198.51.100.11"], "since": "1795318476.6"}
    ]
