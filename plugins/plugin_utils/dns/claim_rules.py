# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who may take the claim: the pure rule, from one guard and one's own clock to one decision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ansible_collections.continuity.dr.plugins.plugin_utils.core.model import Refusal
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.guard import MARGIN_SECONDS, Guard, standing, timestamp

Outcome = Literal["claimed", "adopted", "held", "stale"]


@dataclass(frozen=True)
class Claimant:
    """A run that wants the claim, for ``seconds`` from now. ``minimum_epoch`` is the highest epoch seen on members.

    ``observed_epoch`` is the guard's epoch when the run looked at the service and decided; None asks for no such proof.
    ``break_run`` is another run, typed by a person who knows that it is gone for good: its open claim is taken.
    ``epoch`` is that of the claim to give back: a later process of the same run may hold a newer one by now.
    """

    run_id: str
    owner: str
    seconds: float = 120.0
    minimum_epoch: int = 0
    observed_epoch: int | None = None
    break_run: str | None = None
    epoch: int | None = None


@dataclass(frozen=True)
class ClaimDecision:
    """``guard`` is what to write; None when the claim is held by another run, or the decision is out of date."""

    outcome: Outcome
    guard: Guard | None
    taken_over: Guard | None = None


def decide_claim(found: Guard | None, claimant: Claimant, now: float) -> ClaimDecision:
    """Decide what a claimant may do about the guard it found.

    Its own open claim is renewed with the same epoch; where the run has looked at the service since (it was cut off and
    started again), it is adopted with the next one, so what is left of its earlier process is refused. A closed one,
    none, another run's that ended more than the margin ago, or that a person breaks is taken with the next epoch, which
    is above every epoch known: the guard may have been deleted by hand, the members remember.
    """
    epoch = max(found.epoch if found else 0, claimant.minimum_epoch) + 1
    taken_over = None
    if found and found.state == "claimed":
        if found.run == claimant.run_id and found.epoch >= claimant.minimum_epoch:
            if claimant.observed_epoch not in (None, found.epoch):
                return ClaimDecision("stale", None)  # another process of the same run was quicker
            again = found.epoch if claimant.observed_epoch is None else found.epoch + 1
            return ClaimDecision("adopted", _guard(claimant, again, now, found))
        if found.run != claimant.run_id:
            if standing(found.until, now) != "expired" and found.run != claimant.break_run:
                return ClaimDecision("held", None)
            taken_over = found
    if claimant.observed_epoch is not None and (found.epoch if found else 0) != claimant.observed_epoch:
        # Another run claimed and ended in between: what this one decided rests on a service that is no more
        return ClaimDecision("stale", None)
    return ClaimDecision("claimed", _guard(claimant, epoch, now, found), taken_over)


def seconds_until_free(found: Guard | None, now: float) -> float:
    """Seconds until another run may take the claim; 0 where no claim is open."""
    if found is None or found.state != "claimed":
        return 0.0
    return max(0.0, found.until + MARGIN_SECONDS - now)


def is_own(found: Guard | None, run_id: str) -> bool:
    """The run holds this open claim, whether or not it is still worth something."""
    return found is not None and found.state == "claimed" and found.run == run_id


def is_usable(found: Guard | None, run_id: str, now: float) -> bool:
    """The run holds the claim and may act on it now."""
    return found is not None and is_own(found, run_id) and standing(found.until, now) == "usable"


def held_by(found: Guard, name: str, now: float) -> Refusal:
    """The refusal that names who holds the claim and for how long."""
    left = seconds_until_free(found, now)
    return Refusal(
        "claim_held",
        measured=f"run {found.run} of {found.owner}, epoch {found.epoch}, until {timestamp(found.until)}",
        limit="no other run's open claim",
        message=f"{name} is claimed by run {found.run} of {found.owner} for {left:.0f} s more",
        hint=f"let that run finish, or wait {left:.0f} s after it is known to be gone",
    )


def out_of_date(found: Guard | None, claimant: Claimant, name: str) -> Refusal:
    """The refusal of a decision that another run has overtaken."""
    return Refusal(
        "stale_epoch",
        measured=f"epoch {found.epoch} by run {found.run}" if found else "epoch 0",
        limit=f"epoch {claimant.observed_epoch}, as observed",
        message=f"another run changed {name} after this one had looked at it",
        hint="run the verb again: it looks and decides anew",
    )


def _guard(claimant: Claimant, epoch: int, now: float, found: Guard | None) -> Guard:
    cached = found.cached if found and found.cached > now else 0  # what resolvers hold does not depend on who claims
    return Guard(epoch, claimant.run_id, "claimed", int(now + claimant.seconds), claimant.owner, cached)
