# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Extra variables that would stand in for what a verb hands to its roles.

They are stronger than a task's own variables, and Ansible checks a role's arguments before it puts them in: with
`-e endpoint_value=...` every record would be switched to that address, unchecked.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

#: What the steps of a verb read or loop with.
OF_THE_STEPS = frozenset({"ansible_facts", "ansible_failed_result", "dwell_seconds", "item"})
#: What Ansible itself tells of a run and an extra variable replaces: with another `inventory_hostname` each service
#: would be taken for that one.
OF_ANSIBLE = frozenset(
    {
        "ansible_delegated_vars",
        "group_names",
        "inventory_dir",
        "inventory_file",
        "inventory_hostname",
        "inventory_hostname_short",
        "omit",
        "role_name",
        "role_path",
    }
)

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_ROLES = Path(__file__).resolve().parents[3] / "roles"


def overrules(name: str) -> bool:
    """True for the name of what a role of ours gets from the verb or keeps for itself, or of what Ansible tells."""
    return name in OF_THE_STEPS or name in OF_ANSIBLE or name.startswith("__") or name in role_inputs()


@lru_cache(maxsize=1)
def role_inputs() -> frozenset[str]:
    """The documented options of all roles of this collection, without the settings that have a default."""
    options: set[str] = set()
    settings: set[str] = set()
    for role in _ROLES.iterdir():
        for entry_point in _read(role / "meta" / "argument_specs.yml").get("argument_specs", {}).values():
            options.update(entry_point.get("options") or {})
        settings.update(_read(role / "defaults" / "main.yml"))
    return frozenset(options - settings)


def _read(path: Path) -> dict[str, Any]:
    try:
        return yaml.load(path.read_bytes(), Loader=_Loader) or {}
    except (OSError, yaml.YAMLError):
        return {}
