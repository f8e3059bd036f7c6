# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the role fence_systemd needs: to mask, stop, kill and unmask the units that the engine named."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils import systemd
from ansible_collections.continuity.dr.plugins.plugin_utils.rights import Known, Rights, Service


def rights(service: Service, part: Mapping[str, Any], known: Known) -> Rights:
    """Sudoers lines for every member."""
    return Rights({host: systemd.sudo_rules(units, known.logins[host]) for host, units in known.units.items()})
