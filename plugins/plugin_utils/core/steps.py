# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The steps that the decisions of several verbs share, and which members need them."""

from __future__ import annotations

from collections.abc import Iterable

from ansible_collections.continuity.dr.plugins.plugin_utils.core.model import (
    EndpointView,
    Observation,
    Step,
    StepName,
)
from ansible_collections.continuity.dr.plugins.plugin_utils.core.view import View


def claim_and_leases(view: View) -> list[Step]:
    """The claim first, then a lease on every member that answers, always in the same order."""
    return [Step("claim"), *[Step("lease", member) for member in reachable(view)]]


def reachable(view: View) -> list[str]:
    """The members that answer, always in the same order."""
    return sorted(observed.member for observed in view.observed.values() if observed.reachable)


def point(view: View) -> list[Step]:
    """An endpoint that cannot be reached (waived) is not switched; the next run finds it and does."""
    return [Step("point")] if any(endpoint.reachable for endpoint in view.endpoints) else []


def lower_ttl(view: View) -> list[Step]:
    """Ahead of a planned move clients are told to ask again sooner, where the plan says how soon."""
    return [Step("lower_ttl")] if any(map(too_long, view.endpoints)) else []


def too_long(endpoint: EndpointView) -> bool:
    """Clients keep its answer for longer than the plan wants around a move."""
    known = endpoint.reachable and endpoint.values and endpoint.move_ttl is not None
    return bool(known) and (endpoint.ttl or 0) > (endpoint.move_ttl or 0)


def restore_ttl(view: View) -> list[Step]:
    """A move that was called off has left a time to live that is shorter than the plan's."""
    prepared = [e for e in view.endpoints if e.reachable and e.values and e.move_ttl is not None and e.ttl is not None]
    return [Step("restore_ttl")] if any((e.ttl or 0) < (e.planned_ttl or 0) for e in prepared) else []


def bring_back(view: View, primary: Observation) -> list[Step]:
    """Members to bring back, and replicas that follow and would not start again."""
    missing = view.not_following(primary)
    back = [other for other in view.others(primary) if other.reachable and (other in missing or other.half_fenced)]
    return [Step("rejoin", other.member) for other in back]


def released_by_hand(view: View, target: Observation) -> list[Observation]:
    """Stopped members whose next start would be a second primary."""
    stopped = [other for other in view.others(target) if other.reachable and not other.running]
    return [other for other in stopped if other.fenced is False and other.comes_back_as == "primary"]


def coming_back(steps: Iterable[Step]) -> list[str]:
    """Members whose fences are lifted: they are replicas again, or held down by something else."""
    return [*step_members(steps, "rejoin"), *step_members(steps, "release")]


def step_members(steps: Iterable[Step], name: StepName) -> list[str]:
    """The members a step is to be done at, in order."""
    return [step.member for step in steps if step.name == name and step.member is not None]
