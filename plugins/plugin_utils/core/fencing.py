# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The rules about what keeps a member from taking writes: which fence can prove it, and whose word is taken.

An unreachable member is not fenced. What counts is evidence that was read back, as strong as the plan asks for.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from ansible_collections.continuity.dr.plugins.plugin_utils.core.evidence import LEVELS, Evidence
from ansible_collections.continuity.dr.plugins.plugin_utils.core.model import Observation, Refusal, Request
from ansible_collections.continuity.dr.plugins.plugin_utils.core.view import View

#: The rule that an operator's word may stand in for.
UNFENCED = "old_primary_unfenced"
#: Of a machine that does not answer only a device proves this much, by its power.
POWER = 3
#: How long a refused run may be named in a confirmation: a line from yesterday's history is no word about today.
CONFIRMED_WITHIN_SECONDS = 3600.0


def may_be_primary(view: View, target: Observation) -> list[Observation]:
    """Members that give no answer and may take writes: all that anything names; where nothing names one, every one.

    One that is named and follows now is not the primary, and no sign that those out of sight are none.
    """
    others = view.others(target)
    named = view.named_primaries() & {other.member for other in others if not other.stays_replica}
    return [o for o in others if not o.reachable and (not named or o.member in named)]


def usable(view: View, other: Observation) -> tuple[str, ...]:
    """The fences that can prove enough of a member, in the plan's order.

    Of one that answers all of them: what fails is tried no further. Of one that does not, those whose device said in
    this run that it works and can give the level; a fence that needs the member itself said nothing.
    """
    if other.reachable:
        return view.service.fences
    said = {evidence.source: evidence for evidence in view.evidence.get(other.member, ())}
    able = [name for name in view.service.fences if name in said and _able(view, said[name])]
    return tuple(able)


def _able(view: View, evidence: Evidence) -> bool:
    minimum = max(1, view.service.min_level)
    return evidence.proves(minimum) or (evidence.answers and evidence.gives is not None and evidence.gives >= minimum)


def releasable(view: View, other: Observation) -> tuple[str, ...]:
    """The fences that hold a member now and are to be lifted.

    Its power first, while everything else still holds it; then the plan's order from its end. Where no fence said
    anything of a member that is held, all of them are.
    """
    said = view.evidence.get(other.member, ())
    if not said and other.fenced:
        return tuple(reversed(view.service.fences))
    off = [e.source for e in said if e.state == "off"]
    held = [*off, *(e.source for e in said if e.level is not None and e.source not in off)]
    order = [name for name in reversed(view.service.fences) if name in held]
    return tuple(sorted(order, key=lambda name: name not in off))


def switched_off(view: View, other: Observation, will_be: bool = False) -> bool:
    """A device that answers says that the member has no power; where it `will_be`, that it can take it away."""
    said = view.evidence.get(other.member, ())
    return not other.reachable and any(e.state == "off" or (will_be and e.answers and e.gives == POWER) for e in said)


def confirmed(request: Request) -> bool:
    """The operator typed which refusal they mean. A run's own name is none: a line of a script can give itself one."""
    refused = request.confirm_refused_at
    if not request.confirm or request.confirm == request.run_id or refused is None:
        return False
    return 0 <= request.now - refused <= CONFIRMED_WITHIN_SECONDS


def by_word(view: View, request: Request) -> bool:
    """The plan takes an operator's word (``min_level: 0``), and it was given in full."""
    return view.service.min_level == 0 and confirmed(request) and bool(request.reason.strip())


def words(view: View, request: Request, target: Observation) -> Iterator[str]:
    """Whose word is taken for what, for the report."""
    waived = UNFENCED in request.waive
    for other in may_be_primary(view, target):
        if not usable(view, other) and confirmed(request) and (waived or by_word(view, request)):
            yield f"{other.member}: level 0, {LEVELS[0]}: {request.reason.strip()} (confirmed {request.confirm})"


def unfenced(view: View, request: Request, target: Observation) -> Iterator[Refusal]:
    """Members without an answer that may take writes, and no fence that could prove that they do not."""
    for other in may_be_primary(view, target):
        if usable(view, other) or by_word(view, request):
            continue
        yield Refusal(
            UNFENCED,
            f"{other.member} cannot be reached; {measured(view, other)}",
            f"proof that it takes no writes, of level {view.service.min_level} ({LEVELS[view.service.min_level]})",
            "unreachable is not fenced: it may still be serving clients",
            _next(view, request, other),
        )


def measured(view: View, other: Observation) -> str:
    """What every fence of the plan said of a member."""
    said = {evidence.source: evidence for evidence in view.evidence.get(other.member, ())}
    if not view.service.fences:
        return "the plan has no fence"
    words = []
    for name in view.service.fences:
        evidence = said.get(name)
        if evidence is None or not (evidence.answers or evidence.text):
            words.append(f"{name}: works only on a machine that can be reached")
        elif not evidence.answers:
            words.append(f"{name}: {evidence.text}")
        else:
            gives = "nothing" if evidence.gives is None else f"level {evidence.gives} at most"
            words.append(f"{name} can prove {gives}: {evidence.text}")
    return "; ".join(words)


def _next(view: View, request: Request, other: Observation) -> str:
    waive = "" if view.service.min_level == 0 else f"-e waive={UNFENCED} "
    said = say_so(request, waive)
    return f"mend the fence's device, or power {other.member} off, look that it is done, and {said}"


def say_so(request: Request, waive: str) -> str:
    """How an operator gives their word for it: only a verb that would act keeps the refusal that the word must name."""
    if request.verb == "assess" or request.drill:
        return "say so to the verb that shall move it: it is refused as well, and prints how"
    return f"say so: {waive}-e confirm={request.run_id} -e \"reason='...'\""


def confirmation(request: Request, waived: Sequence[str]) -> Iterator[Refusal]:
    """A word that two may write counts only when it names a refusal: no line that somebody keeps in a script does."""
    if waived and not confirmed(request):
        said = say_so(request, f"-e waive={','.join(request.waive)} ")
        yield Refusal(
            "confirmation_missing",
            _named(request),
            "the id of another run, of the same verb, that refused this service within the hour and is kept here",
            f"{', '.join(waived)} is waived, and nobody typed which refusal they mean",
            f"look that the old primary is off, then {said}",
        )


def _named(request: Request) -> str:
    """What was typed, and why it names no refusal that counts."""
    if not request.confirm:
        return "none"
    if request.confirm == request.run_id:
        return f"{request.confirm}, this run itself"
    if request.confirm_refused_at is None:
        return f"{request.confirm}, no such refusal is kept here"
    minutes = math.ceil((request.now - request.confirm_refused_at) / 60)
    when = f"{minutes} minutes ago" if minutes > 0 else "after this run began: look at the clock"
    return f"{request.confirm}, refused {when}"


def sightings(view: View, target: Observation) -> Iterator[Refusal]:
    """Whoever sees a live primary vetoes: a replica that still receives, or a machine that its port answers."""
    if all(other.reachable for other in view.others(target)):
        return
    hint = "mend the controller's connection to it, then use switchover"
    for observed in view.observed.values():
        if observed.receiving and observed.is_replica:
            told = f"{observed.member} receives from {observed.upstream}"
            yield Refusal(
                "primary_seen", told, "no live primary", "the primary is alive, only not reachable from here", hint
            )
    # A witness cannot see whether what answers takes writes: any silent member that does counts as alive
    silent = {other.member for other in view.others(target) if not other.reachable}
    for sighting in view.sightings:
        if sighting.member in silent:
            yield Refusal(
                "primary_seen",
                f"{sighting.witness} gets an answer from {sighting.member}: {sighting.text}",
                "no live primary",
                f"the database of {sighting.member} is alive, only not reachable from here",
                hint,
            )


def mismatch(view: View) -> Iterator[Refusal]:
    """A device that says off of a machine that answers switches another machine."""
    for other in view.observed.values():
        for evidence in view.evidence.get(other.member, ()):
            if other.reachable and evidence.state == "off":
                yield Refusal(
                    "fence_mismatch",
                    evidence.text,
                    f"on: {other.member} answers",
                    f"{evidence.source} does not switch {other.member}",
                    "correct its plug or address in the plan's fence",
                )
