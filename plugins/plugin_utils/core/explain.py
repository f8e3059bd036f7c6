# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a decision tells beside its steps: what it rests on, and what is missing once they are done."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime

from ansible_collections.continuity.dr.plugins.plugin_utils.core import fencing, loss
from ansible_collections.continuity.dr.plugins.plugin_utils.core.durations import format_duration
from ansible_collections.continuity.dr.plugins.plugin_utils.core.model import Observation, Request, Step
from ansible_collections.continuity.dr.plugins.plugin_utils.core.steps import (
    released_by_hand,
    step_members,
    too_long,
)
from ansible_collections.continuity.dr.plugins.plugin_utils.core.view import View, attached_as, describe


def evidence(view: View, request: Request, target: Observation | None) -> Iterator[str]:
    """What was seen and said, member by member, and what a promotion would rest on."""
    for observed in sorted(view.observed.values(), key=lambda o: o.member):
        yield describe(observed)
    yield from notices(view, request)
    # That nothing keeps a member from serving which is to serve is no news
    told = (evidence for said in view.evidence.values() for evidence in said if evidence.state != "open")
    yield from map(str, told)
    if target is not None and request.verb == "failover" and view.primary is not target:
        yield from fencing.words(view, request, target)
    if target is not None and view.primary is not target:
        if request.verb == "failover":
            yield loss.describe(view, request, target)
        elif view.primary is not None:
            yield loss.describe_now(view.primary, target)


def notices(view: View, request: Request) -> Iterator[str]:
    """Of an assessment: what weakens a later failover, and how to mend it.

    A power fence could give a member back as a second primary. Only a power device says `on`: what stops a machine in
    another way leaves it masked, and nothing starts at its boot.
    """
    if request.verb != "assess":
        return
    for name in view.service.unwatched:
        yield (
            f"{name}: its address is a name, which may lead to another machine, so nobody else looks whether its "
            "database lives while this controller cannot reach it; give the member an IP address in the plan (address)"
        )
    left = view.primary.site if view.primary else ""
    for what in view.service.inside.get(left, ()):
        yield f"{what} is in {left}, the site of the primary: what takes the site takes it as well. Keep it elsewhere"
    for observed in sorted(view.observed.values(), key=lambda o: o.member):
        powered = any(evidence.state == "on" for evidence in view.evidence.get(observed.member, ()))
        if observed.starts_at_boot and powered:
            yield (
                f"{observed.member}: its unit starts when the machine boots, so after a power fence its database could "
                "serve beside the new primary until rejoin has stopped it; keep it from starting: systemctl disable "
                f"{' '.join(observed.engine.get('units', ()))} (on Debian: manual in its start.conf, then systemctl "
                "daemon-reload)"
            )


def redundancy(view: View, request: Request, target: Observation | None, steps: Iterable[Step]) -> str:
    """What is missing once the steps are done, and what brings it back."""
    if target is None:
        return ""
    back = step_members(steps, "rejoin")
    off = step_members(steps, "release")
    missing = [other for other in view.not_following(target) if other.member not in back]
    away = [other for other in missing if not other.reachable and other.member not in off]
    fenced = step_members(steps, "fence")
    powerless = [o.member for o in away if fencing.switched_off(view, o, will_be=o.member in fenced)]
    silent = [other.member for other in away if other.member not in powerless]
    now = {name: " (cannot be reached)" for name in silent} | {name: " (switched on, held down)" for name in off}
    now |= {name: " (powered off)" for name in powerless}
    names = [other.member + now.get(other.member, "") for other in missing]
    said = [f"not following: {', '.join(names)}; next: run rejoin"] if names else []
    if silent:
        said = [f"{said[0]} when it can be reached"]
    if powerless:
        said += [f"do not switch {', '.join(powerless)} on by hand, whose database could start as a second primary"]
    held_down = {*back, *fenced}
    loose = [other.member for other in released_by_hand(view, target) if other.member not in held_down]
    if loose and target.is_primary:
        said += [f"not fenced: {', '.join(loose)}, whose next start would be a second primary"]
    modes = {other.member: target.followers.get(other.member, "") for other in view.others(target)}
    unproven = [f"{member} is {mode}" for member, mode in modes.items() if mode != attached_as(mode)]
    if unproven and view.service.rpo_seconds == 0:
        said += [f"not proven to lose nothing: {', '.join(unproven)}"]
    unasked = _unasked(view, request)
    if unasked:
        said += [f"not switched: {', '.join(unasked)}; next: run {request.verb} again when its name server answers"]
    return "; ".join(said)


def caches(view: View, request: Request, steps: Iterable[Step]) -> Iterator[str]:
    """For how long clients may keep the present answer, where the plan has a time to live for moves.

    Of a move: after it, so it is the time in which clients may be sent to the old address.
    """
    names = {step.name for step in steps}
    prepares = request.prepare and request.verb in ("switchover", "failback")
    if not prepares and not names & {"lower_ttl", "demote"}:
        return
    for endpoint in view.endpoints:
        if endpoint.move_ttl is None or not endpoint.reachable:
            if prepares and endpoint.reachable:
                yield f"{endpoint.name}: the plan gives it no move_ttl, so its time to live stays"
            continue
        longer = float(endpoint.ttl or 0) if too_long(endpoint) else 0.0
        held = max(longer, endpoint.cached_seconds)
        until = datetime.fromtimestamp(math.ceil(request.now + held), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        span = format_duration(math.ceil(held))
        if prepares:
            when = f"move it in {span}, at {until} or later" if held else "move it now or later"
            yield f"{endpoint.name}: its time to live is {endpoint.move_ttl} s around the move; {when}"
        elif held:
            text = f"{endpoint.name}: clients may keep the old address for {span}, until {until}"
            yield f"{text}; to shorten that, prepare the move that much earlier with -e prepare=true"


def _unasked(view: View, request: Request) -> list[str]:
    """Endpoints of a move that cannot be reached: nobody knows where they send clients."""
    moves = request.verb in ("switchover", "failover", "failback")
    return [endpoint.name for endpoint in view.endpoints if moves and not endpoint.reachable]


def degraded(view: View, request: Request) -> Iterator[Mapping[str, str]]:
    """Without a step no task can find it: a run that repeats a degraded one would pass."""
    if unasked := ", ".join(_unasked(view, request)):
        message = f"{unasked} could not be asked and was not switched; run the verb again when it answers"
        yield {"name": "endpoint_not_switched", "message": message}
