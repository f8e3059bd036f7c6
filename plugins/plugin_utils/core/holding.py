# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who holds a service, and when an operator may break it: the typed name of a run whose controller is gone for good.

Waiting for the end of claim and leases is safe by itself. Breaking them is not: the other run may only sleep. So a
break needs every member that the other run could still act on, each without a sign of it for a while, or proof that the
member is out of the way. It raises the epoch on them, and the other run's next step is refused there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ansible_collections.continuity.dr.plugins.plugin_utils.core import fencing
from ansible_collections.continuity.dr.plugins.plugin_utils.core.model import Observation, Refusal, Request, Step
from ansible_collections.continuity.dr.plugins.plugin_utils.core.view import View

#: Seconds without a step of the other run on a member before its lease may be broken there.
QUIET_SECONDS = 30
#: What a break stands in for; the first word of what was measured is the run that holds it.
HELD = ("claim_held", "lease_held")


def broken(refusal: Refusal, request: Request) -> bool:
    """The operator typed the run that stands in the way."""
    return bool(request.break_lease) and refusal.rule in HELD and refusal.measured.split()[0] == request.break_lease


def leases(view: View, request: Request) -> Iterator[Refusal]:
    """Leases of other runs that are alive on members: their scripts would refuse this run in the middle of its walk."""
    for observed in _held(view, request):
        held = observed.lease or {}
        run, left = str(held["run"]), int(held.get("seconds_left") or 0)
        yield Refusal(
            "lease_held",
            f"{run} by {held.get('owner') or 'unknown'} on {observed.member}",
            "no lease of another run",
            f"another run is at work on {observed.member}, its lease ends in {left} s",
            next_for(run),
        )


def own(view: View, request: Request) -> bool:
    """Whether this run, from before it was cut off, still holds what it can give back.

    While a member gives no answer nothing is taken from what may only sleep there: that ends by itself. Nothing sleeps
    where a fence proves that the member is out of the way.
    """
    claims = [endpoint.claim_run for endpoint in view.endpoints if endpoint.claim_seconds_left > 0]
    held = [*claims, *((observed.lease or {}).get("run") for observed in _alive(view))]
    return request.run_id in held and all(o.reachable or _proven_away(view, o) for o in view.observed.values())


def gives_back(view: View, request: Request) -> bool:
    """Whether a run that is refused gives back what it took before it was cut off: nothing of it may be under way.

    Its leases are taken again under the next epoch first, so what only sleeps is refused wherever it wakes up. What can
    still be at work without asking again keeps its lease: a script of a moment ago, a copy, a promotion that was sent.
    """
    if not own(view, request) or _held(view, request) or _claimed_by_others(view, request):
        return False
    recent = [(observed.lease or {}).get("acted_seconds_ago") for observed in _alive(view)]
    if any(ago is not None and int(ago) < QUIET_SECONDS for ago in recent):
        return False
    at_work = ("promoting", "rejoining", "long_work")
    return not any(observed.engine.get(word) for observed in view.observed.values() for word in at_work)


def _claimed_by_others(view: View, request: Request) -> bool:
    return any(e.claim_run not in (None, request.run_id) and e.claim_seconds_left > 0 for e in view.endpoints)


def next_for(run: str) -> str:
    """What to do about a run that holds the service."""
    return (
        f"wait for it; if it was cut off, continue it with -e continuity_run_id={run}; "
        f"if its controller is gone for good, -e break_lease={run} -e \"reason='...'\""
    )


def taking(view: View, request: Request, target: Observation | None, steps: Iterable[Step]) -> Iterator[Refusal]:
    """What it needs to take over from a live holder at once: from a run that is broken, or from this run's own past.

    A run that is started again with its id may have a process that only sleeps, as a broken one may.
    """
    for run in dict.fromkeys([request.break_lease, request.run_id]):
        claims = [endpoint.claim_seconds_left for endpoint in view.endpoints if run and endpoint.claim_run == run]
        members = [observed for observed in _alive(view) if (observed.lease or {}).get("run") == run]
        if run and run != request.run_id:
            yield from _still_at_work(run, members)
        left = max([*claims, *(float((o.lease or {})["seconds_left"]) for o in members)], default=0.0)
        if left > 0:
            yield from _beyond_reach(view, request, target, steps, left)


def _still_at_work(run: str, members: Iterable[Observation]) -> Iterator[Refusal]:
    for observed in members:
        ago = (observed.lease or {}).get("acted_seconds_ago")
        if ago is not None and int(ago) < QUIET_SECONDS:
            yield Refusal(
                "holder_alive",
                f"{run} did a step on {observed.member} {ago} s ago",
                f"no step for {QUIET_SECONDS} s",
                f"run {run} may still be at work",
                "look for it where it was started, and end it; then run the verb again",
            )


def _beyond_reach(
    view: View, request: Request, target: Observation | None, steps: Iterable[Step], left: float
) -> Iterator[Refusal]:
    for observed in view.observed.values():
        if not observed.reachable and not _out_of_the_way(view, request, observed, target, steps):
            yield Refusal(
                "holder_unproven",
                f"{observed.member} cannot be reached",
                "every member asked, or proof that it is out of the way",
                f"what was cut off may hold a lease on {observed.member} that cannot be taken from it, and act there",
                f"restore the connection to it, or wait {left:.0f} s: then everything that was held has ended",
            )


def _alive(view: View) -> list[Observation]:
    """Members on which some run's lease lives."""
    return [o for o in view.observed.values() if o.lease and int(o.lease.get("seconds_left") or 0) > 0]


def _held(view: View, request: Request) -> list[Observation]:
    """Members with a live lease of another run."""
    return [o for o in _alive(view) if (o.lease or {}).get("run") not in (None, "", request.run_id)]


def _proven_away(view: View, observed: Observation) -> bool:
    return any(e.proves(max(1, view.service.min_level)) for e in view.evidence.get(observed.member, ()))


def _out_of_the_way(
    view: View, request: Request, observed: Observation, target: Observation | None, steps: Iterable[Step]
) -> bool:
    """A fence proved it, will have to before anything is promoted, or the operator gave their word for this member."""
    if _proven_away(view, observed):
        return True
    if any(step.name == "fence" and step.member == observed.member for step in steps):
        return True
    if target is None or observed not in fencing.may_be_primary(view, target):
        return False
    waived = fencing.UNFENCED in request.waive and fencing.confirmed(request)
    return bool(request.reason.strip()) and (waived or fencing.by_word(view, request))
