# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import pytest

from ansible_collections.continuity.dr.plugins.plugin_utils.plan.settings import allowed_degraded


@pytest.mark.parametrize(
    ("given", "names"),
    [
        (None, ()),
        ([], ()),
        ("endpoint_stale", ("endpoint_stale",)),
        ("endpoint_stale, payments-db,", ("endpoint_stale", "payments-db")),
        (["endpoint_stale", "payments-db"], ("endpoint_stale", "payments-db")),
    ],
)
def test_degradations_may_be_allowed_as_a_list_or_as_text(given, names):
    assert allowed_degraded({"continuity_outcome_allow_degraded": given}) == names
    assert allowed_degraded({}) == ()
