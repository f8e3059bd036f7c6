# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import pytest

from ansible_collections.continuity.dr.plugins.plugin_utils.address import ip_version


@pytest.mark.parametrize(
    ("value", "version"), [("198.51.100.1", 4), ("2001:db8::1", 6), ("01.2.3.4", None), ("db1", None), (None, None)]
)
def test_ip_version(value, version):
    assert ip_version(value) == version
