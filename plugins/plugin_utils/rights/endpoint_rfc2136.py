# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the role endpoint_rfc2136 needs: one key that may change the record and its guard, in BIND's words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils.dns.settings import GUARD_LABEL
from ansible_collections.continuity.dr.plugins.plugin_utils.rights import Known, Rights, Service

#: In place of a key's name that is not written in the plan
NO_NAME = "NAME-OF-THE-KEY"


def rights(service: Service, part: Mapping[str, Any], known: Known) -> Rights:
    """The lines of update-policy; keys of several services share one file a zone."""
    key, name, zone = part.get("key_name") or NO_NAME, part["name"], part["zone"]
    lines = [
        f"// Into update-policy {{ }} of the zone {zone}; no other line for these keys.",
        f"grant {key} name {name} {part['type']};",
        f"grant {key} name {GUARD_LABEL}.{name} TXT;",
    ]
    return Rights(files={f"{zone.rstrip('.')}.update-policy": lines})
