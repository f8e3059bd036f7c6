# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rules about the copies that a plan's backups go to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils.plan.names import finding, unknown


def backup_rules(services: Mapping[str, Mapping[str, Any]], sites: Collection[str]) -> Iterator[str]:
    """Every broken rule."""
    for name, service in services.items():
        backup = service.get("backup")
        copies = backup.get("repositories") if isinstance(backup, Mapping) else None
        if not isinstance(copies, list):
            continue
        path = f"services.{name}.backup.repositories"
        entries = [(index, copy) for index, copy in enumerate(copies) if isinstance(copy, Mapping)]
        for index, copy in entries:
            site = copy.get("site")
            if isinstance(site, str) and site not in sites:
                yield unknown(f"{path}[{index}].site", "site", site, sites)
        for key, times in Counter(copy.get("key") for _index, copy in entries).items():
            if times > 1:
                yield finding(path, f"key {key} is given {times} times", "each repository once")
