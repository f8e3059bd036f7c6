# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The plan: read, checked and resolved. Nothing here knows Ansible; `load_plan` is the way in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils.plan.resolve import resolved_plan, resolved_services
from ansible_collections.continuity.dr.plugins.plugin_utils.plan.rules import plan_findings
from ansible_collections.continuity.dr.plugins.plugin_utils.plan.schema import MISSING_LIBRARY, schema_findings

__all__ = ["LoadedPlan", "broken_plan", "load_plan"]


@dataclass(frozen=True)
class LoadedPlan:
    """What became of a plan. With errors there are no services, and `plan` holds little more than them."""

    plan: Mapping[str, Any]
    """`continuity_plan`"""
    services: Mapping[str, Mapping[str, Any]]
    """`continuity_service` of each service, in the order of the plan"""

    @property
    def errors(self) -> list[str]:
        """Every error, `path: what is wrong; allowed: ...`; empty for a correct plan."""
        return list(self.plan["errors"])


def load_plan(data: object, errors: Sequence[str] = ()) -> LoadedPlan:
    """Check and resolve a plan as read from YAML. `errors`: what reading it has already found.

    Never raises for a wrong plan: all errors are in the result, those of the shape first.
    """
    if MISSING_LIBRARY is not None:
        return broken_plan([MISSING_LIBRARY], data)
    found = [*errors, *schema_findings(data), *plan_findings(data)]
    if found:
        return broken_plan(list(dict.fromkeys(found)), data)
    if not isinstance(data, Mapping):
        raise AssertionError("the schema has just said that it is a mapping")
    services = resolved_services(data)
    return LoadedPlan(plan=resolved_plan(data, services), services=services)


def broken_plan(errors: Sequence[str], data: object = None) -> LoadedPlan:
    """A plan that cannot be used, with the reasons, and its id as far as it can be told."""
    head = data.get("plan") if isinstance(data, Mapping) else None
    name = head.get("id") if isinstance(head, Mapping) else None
    return LoadedPlan(plan={"id": name if isinstance(name, str) else None, "errors": list(errors)}, services={})
