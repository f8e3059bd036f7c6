# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Is a member isolated? Rules that were read back, and two machines that could reach it and cannot any more.

A connection that fails proves nothing by itself: the machine that tries may be the one that is cut off. A vantage point
counts only where it has a way to the member, seen by a port that the rules leave alone (the control port, SSH), or by
the service's own port having opened from there before the rules were set.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.continuity.dr.plugins.plugin_utils.core.evidence import Evidence
from ansible_collections.continuity.dr.plugins.plugin_utils.fence.network import Stand, Target
from ansible_collections.continuity.dr.plugins.plugin_utils.fence.vantage import Seen

LEVEL = 2
VANTAGES = 2
#: The machine itself, or the network in front of it, gave an answer.
ANSWERED = ("open", "refused")


@dataclass(frozen=True)
class Looked:
    """What one vantage point saw, of the service's ports and of the control port; empty: it could not be asked."""

    host: str
    seen: Sequence[Seen]


def port_list(target: Target, control_port: int) -> list[tuple[str, int]]:
    """What a vantage point tries: the service's ports, and the port that shows that there is a way."""
    return [(address, port) for address in target.addresses for port in (*target.ports, control_port)]


def findings(member: str, guards: Sequence[str], vantages: Sequence[str]) -> list[str]:
    """Why these machines could never prove anything."""
    found = []
    if not guards:
        found.append("guards: is empty; allowed: at least one machine that the packets of clients pass")
    wrong = sorted({member, *guards} & set(vantages))
    if wrong:
        found.append(f"vantages: {', '.join(wrong)} sets the rules or is the member; allowed: other machines")
    if len(set(vantages)) < VANTAGES:
        found.append(f"vantages: {len(set(vantages))} machine(s); allowed: at least {VANTAGES} different ones")
    return found


def judge(
    target: Target,
    guards: Mapping[str, Stand],
    before: Iterable[Looked],
    after: Sequence[Looked],
    source: str,
    now: float,
    asked: float | None = None,
) -> Evidence:
    """The evidence of one moment. Any open port, any guard or vantage point less than needed: no level."""
    earlier = {looked.host: looked for looked in before}
    reaching = [looked for looked in after if _reaches(target, looked, earlier.get(looked.host))]
    opened = [looked.host for looked in after if _opens(target, looked)]
    counted = {looked.host for looked in reaching if _closed(target, looked)}
    known = all(stand.rules is not None for stand in guards.values())
    isolating = bool(guards) and all(stand.isolates(target) for stand in guards.values())
    said = [*(_of_guard(name, stand, target) for name, stand in guards.items()), *map(_of_vantage, after)]
    proven = isolating and not opened and len(counted) >= VANTAGES
    able = known and bool(guards) and len({looked.host for looked in reaching}) >= VANTAGES
    return Evidence(
        target.member,
        source,
        state="isolated" if proven else "open" if opened else "unknown",
        level=LEVEL if proven else None,
        answers=able,
        gives=LEVEL if able else None,
        text="; ".join(said),
        time=now,
        asked=asked,
    )


def _service(target: Target, looked: Looked) -> list[Seen]:
    return [seen for seen in looked.seen if seen.port in target.ports]


def _opens(target: Target, looked: Looked) -> bool:
    return any(seen.sight == "open" for seen in _service(target, looked))


def _closed(target: Target, looked: Looked) -> bool:
    """Every address and port was tried and none opened. What could not be tried is not closed."""
    seen = _service(target, looked)
    wanted = {(address, port) for address, port in port_list(target, 0) if port in target.ports}
    tried = {(s.address, s.port) for s in seen if s.sight in ("refused", "silent", "no_route")}
    return len(seen) >= len(wanted) and len(tried) == len(wanted)


def _reaches(target: Target, looked: Looked, before: Looked | None) -> bool:
    """There is a way from there to the member."""
    control = any(seen.sight in ANSWERED for seen in looked.seen if seen.port not in target.ports)
    return control or (before is not None and _opens(target, before))


def _of_guard(name: str, stand: Stand, target: Target) -> str:
    if stand.rules is None:
        return f"{name} did not show its rules"
    if stand.isolates(target):
        return f"{name} drops them, {stand.dropped} packets so far"
    if stand.weakened_by:
        return f"{name} holds what is no plain drop ({'; '.join(stand.weakened_by)})"
    return f"{name} has no rules" if stand.absent else f"{name} has only a part of the rules"


def _of_vantage(looked: Looked) -> str:
    if not looked.seen:
        return f"{looked.host} could not be asked"
    return f"{looked.host} sees {', '.join(map(str, looked.seen))}"
