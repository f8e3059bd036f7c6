# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.continuity.dr.plugins.filter.seconds import FilterModule

seconds = FilterModule().filters()["seconds"]


def test_a_duration_is_given_in_seconds():
    assert seconds("15m") == 900.0


@pytest.mark.parametrize("value", ["15", "a while", "-3s"])
def test_a_duration_without_a_unit_is_an_error(value):
    with pytest.raises(AnsibleFilterError, match="5m"):
        seconds(value)
