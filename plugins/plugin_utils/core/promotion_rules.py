# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The rules about the member that is to become primary, whether its primary is stopped first or is lost."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.continuity.dr.plugins.plugin_utils.core import fencing, rules
from ansible_collections.continuity.dr.plugins.plugin_utils.core.model import Observation, Refusal, Request
from ansible_collections.continuity.dr.plugins.plugin_utils.core.view import View, describe


def no_target(view: View, request: Request) -> list[Refusal]:
    """No member is there to become primary, or it was not said which."""
    sites = sorted(set(view.service.sites.values()))
    measured = view.target_site(request) or "not named"
    hint = f"name one with -e target_site=<site>: {', '.join(sites)}"
    return [Refusal("no_target", measured, f"a site with a member: {', '.join(sites)}", "there is no target", hint)]


def unfit(target: Observation, verb: str) -> Iterator[Refusal]:
    """It must answer, be a replica, and have nothing of its engine's in the way of ``verb``."""
    if not target.reachable:
        yield Refusal(
            "target_unreachable",
            "no answer",
            "an answer",
            f"{target.member} cannot be reached",
            "check the connection to it, or choose another site",
        )
    elif not target.is_replica:
        yield Refusal(
            "no_replica",
            describe(target),
            "a running replica",
            f"{target.member} cannot be promoted",
            "run rejoin while a primary serves, or restore from a backup",
        )
    yield from rules.problems(target, verb)


def no_arbiter(view: View, target: Observation) -> Iterator[Refusal]:
    """Without an endpoint no claim is taken, and a silent member has no lease: who reaches only it may promote it."""
    for other in view.others(target):
        if not view.endpoints and not other.reachable and not fencing.usable(view, other):
            yield Refusal(
                "arbiter_unreachable",
                f"the plan has no endpoint for {view.service.name}, and {other.member} cannot be reached",
                "a claim, or a lease on every member",
                f"nothing keeps another operator, who reaches {other.member}, from promoting it too",
                "restore the connection to it, or waive this rule by name when nobody else can be at work",
            )


def no_fence(other: Observation) -> Refusal:
    """A member that is no replica, and that nothing could keep from taking writes."""
    return Refusal(
        "no_fence",
        "none",
        "a fence",
        f"the plan has no fence for {other.member}, which is no replica",
        "add one to the plan",
    )


def lag_unknown(target: Observation, why: str = "") -> Refusal:
    """What could be lost has no bound. ``why``: what the last sight of a primary lacks to give one."""
    return Refusal(
        "lag_unknown",
        "unknown",
        "a known lag",
        f"how far {target.member} is behind is not known"
        + (f"; the last sight of a primary does not count: {why}" if why else ""),
        "no bound can be accepted on an unknown: waive this rule by name, with a reason",
    )
