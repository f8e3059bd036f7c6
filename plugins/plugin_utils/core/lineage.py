# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether the member that runs as a primary is the newest one.

A primary that was given up without proof (a waiver, somebody's hand) may come back and run. To whoever sees it alone it
looks like the primary: an endpoint pointed at it, or a member rejoined to it, would lose what the newer one has.
"""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.continuity.dr.plugins.plugin_utils.core import fencing
from ansible_collections.continuity.dr.plugins.plugin_utils.core.model import Observation, Refusal, Request
from ansible_collections.continuity.dr.plugins.plugin_utils.core.view import View

STALE = "stale_primary"


def stale_primary(view: View, request: Request) -> Iterator[Refusal]:
    """Something tells of a promotion that the running primary knows nothing of, or that came after its own."""
    primary = view.primary
    trace = primary and (_moved_without(view, primary) or _promoted_elsewhere(view, primary))
    if primary and trace:
        measured, newer = trace
        back = f"bring {newer} back" if newer else "find out which member was promoted last and bring it back"
        said = fencing.say_so(request, f"-e waive={STALE} (other rules after a comma) ")
        yield Refusal(
            STALE,
            measured,
            "no promotion after its own",
            f"{primary.member} runs as a primary, but another one was promoted after it",
            f"stop and mask {primary.member}'s database, {back}, then run rejoin. "
            f"Only where {newer or 'that one'} is lost for good and switched off, {said}",
        )


def is_newest(view: View, target: Observation) -> bool:
    """Nobody can have been promoted after it: its own promotion has the highest epoch that anything names."""
    own = target.promotion or {}
    return own.get("member") == target.member and int(own.get("epoch") or 0) >= max(1, view.epoch)


def _moved_without(view: View, primary: Observation) -> tuple[str, str | None] | None:
    """An endpoint was switched under an epoch that never came to this member, which each primary of a run has held."""
    if primary.epoch is None:
        return None
    for endpoint in view.endpoints:
        if endpoint.moved and endpoint.epoch > primary.epoch:
            run = endpoint.moved.get("run_id") or "unknown"
            measured = (
                f"{endpoint.name} was switched by run {run}, epoch {endpoint.epoch}; it knows epoch {primary.epoch}"
            )
            holds = [o.member for o in view.others(primary) if o.address in endpoint.values]
            return measured, next(iter(holds), None)
    return None


def _promoted_elsewhere(view: View, primary: Observation) -> tuple[str, str | None] | None:
    """The newest record names another member, and this one is on no later timeline, as one promoted since would be."""
    records = [o.promotion for o in view.observed.values() if o.promotion and o.promotion.get("timeline") is not None]
    newest = max(records, key=lambda record: int(record.get("epoch") or 0), default=None)
    if newest is None or primary.timeline is None or newest.get("member") in (None, primary.member):
        return None
    if primary.timeline > int(newest["timeline"]):
        return None
    measured = (
        f"{newest['member']} was promoted under epoch {newest.get('epoch')} to timeline {newest['timeline']}; "
        f"it is on {primary.timeline}"
    )
    return measured, str(newest["member"])
