# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The files that continuity.dr.rights writes for a plan, without Ansible; used by tests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils import rights
from ansible_collections.continuity.dr.plugins.plugin_utils.plan import load_plan


def files_of(plan: Mapping[str, Any], login: str) -> Mapping[str, str]:
    """Every file by its name. The members' own addresses come from the plan, else they are the machines' names."""
    loaded = load_plan(plan)
    assert not loaded.errors, loaded.errors
    services = {name: _with_key_names(service) for name, service in loaded.services.items()}
    members = {member["host"] for service in services.values() for member in service["members"]}
    return rights.gather(services, dict.fromkeys(sorted(members), login)).files


def lines_of(text: str) -> list[str]:
    """The lines of a file that are no comment."""
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def _with_key_names(service: Mapping[str, Any]) -> dict[str, Any]:
    endpoints = [{**each, "key_name": (each.get("key") or {}).get("name")} for each in service["endpoints"]]
    return {**service, "endpoints": endpoints}
