# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rules about what a plan tells this collection's own engine: found before a member is asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils.plan.names import finding, is_template
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql import cluster

ROLE = "continuity.dr.engine_postgresql"

Entry = Mapping[str, Any]


def engine_rules(services: Mapping[str, Entry]) -> Iterator[str]:
    """Every broken rule. `services` as written, their members a list."""
    for name, service in services.items():
        engine = service.get("engine")
        if not isinstance(engine, Mapping) or engine.get("role") != ROLE:
            continue
        yield from _of(f"services.{name}.engine", engine)
        for index, member in enumerate(service["members"]):
            own = member if isinstance(member, Mapping) else {}
            yield from _of(f"services.{name}.members[{index}]", own)


def _of(path: str, entry: Entry) -> Iterator[str]:
    for key, (text, allowed) in cluster.malformed(entry).items():
        if not is_template(text):  # what it is filled with is checked when it is filled in
            yield finding(f"{path}.{key}", f'"{text}"', allowed)
