# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import pytest

from ansible_collections.continuity.dr.plugins.plugin_utils.core.evidence import LEVELS, Evidence


@pytest.mark.parametrize(
    ("state", "level", "answers"),
    [
        ("on", 3, True),
        ("unknown", 2, True),
        ("open", 1, True),
        ("isolated", 3, True),
        ("off", 3, False),
        ("on", 0, True),
    ],
)
def test_no_fence_can_claim_more_than_it_read(state, level, answers):
    with pytest.raises(ValueError, match="claims level"):
        Evidence("db1", "x", state, level, answers)


def test_nothing_proven_is_less_than_the_weakest_level():
    nothing = Evidence("db1", "x", "unknown", answers=True)
    assert not nothing.proves(min(LEVELS))
    assert str(nothing) == "db1: no evidence by x: unknown"
    off = Evidence("db1", "x", "off", 3, True, 3, "plug 1 is off", 5.0)
    assert [off.proves(level) for level in (0, 1, 2, 3, 4)] == [True, True, True, True, False]
    assert str(off) == "db1: level 3 by x: plug 1 is off"
    assert Evidence.from_dict(off.to_dict()) == off
    with pytest.raises(TypeError):
        Evidence.from_dict({**off.to_dict(), "surely": True})
