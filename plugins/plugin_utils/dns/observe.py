# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a record is right now, at the primary and at every authoritative server. What fails is data, not an error."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils.dns.change import Primary
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.claim import describe
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.clock import Clock
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.errors import DnsError
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.guard import Guard, GuardUnreadable, parse_guard
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.servers import (
    AskServer,
    ServerAnswer,
    ServerSet,
    ask_once,
    ask_primary,
    declared,
    discover,
    in_parallel,
    system_resolver,
    unresolved_answers,
)
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.settings import Target
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.switch_rules import serial_reached


@dataclass
class _Found:
    """What came together so far."""

    primary: ServerAnswer | None = None
    others: list[ServerAnswer] = field(default_factory=list)
    problems: list[dict[str, str]] = field(default_factory=list)


def observe(
    target: Target, rtype: str, primary: Primary, unsigned: Primary | None, ask: AskServer, clock: Clock
) -> dict[str, Any]:
    """Read a record everywhere.

    ``unsigned`` is asked where the primary does not accept the key: the wrong key is a problem to show, and
    the values are still worth knowing. ``reachable`` is about the primary, which is where claims are made.
    """
    found = _Found()
    known = declared(target)
    with ThreadPoolExecutor(max_workers=1) as pool:
        # At the same time where they are known: a primary that is dead must not cost its bound twice
        early = pool.submit(_ask_others, known, target, rtype, ask, clock) if known else None
        servers = _ask_primary(target, rtype, primary, unsigned, clock, found)
        found.others = early.result() if early else _ask_others(servers, target, rtype, ask, clock)
    found.others += unresolved_answers(servers)
    best = found.primary or _newest(found.others)
    guard = _guard(best, found)
    found.problems += _alias(best, target, rtype)
    name = str(target.servers[0])
    answers = [found.primary or unresolved_answers(ServerSet((), (name,)))[0], *found.others]
    values = best.record.values if best else ()
    serial = best.soa.serial if best else None
    return {
        "changed": False,
        "zone": target.zone,
        "name": target.name,
        "type": rtype,
        "reachable": found.primary is not None,
        "source": best.address if best else None,
        "value": list(values) if best else None,
        "ttl": best.record.ttl if best else None,
        "alias": best.record.alias if best else None,
        "serial": serial,
        "guard": guard.text() if guard else None,
        "epoch": guard.epoch if guard else 0,
        "claim": describe(guard, clock.now() + (best.guard.ahead if best else 0.0)) if guard else None,
        "servers": [answer.describe(answer.state(values, serial)) for answer in answers],
        "reason": found.problems[0]["reason"] if found.problems else None,
        "problems": found.problems,
    }


def _ask_primary(
    target: Target, rtype: str, primary: Primary, unsigned: Primary | None, clock: Clock, found: _Found
) -> ServerSet:
    """The primary's own answer into ``found``; the other servers as far as they can be known without it."""
    for client in (primary, unsigned):
        if client is None:
            continue
        try:
            answer = ask_primary(client, str(target.servers[0]), target, rtype, clock)
            if answer.record.authoritative:
                found.primary = answer
            else:
                said = answer.record.rcode
                text = f"{target.server_names} does not hold {target.zone} (it says {said}): give the zone's primary"
                found.problems.append({"reason": "not_authoritative", "message": text})
            return discover(client, target, system_resolver)
        except DnsError as error:
            found.problems.append({"reason": error.reason, "message": str(error)})
            if not error.reason.startswith("tsig_"):
                break
    return declared(target) or ServerSet(())


def _ask_others(servers: ServerSet, target: Target, rtype: str, ask: AskServer, clock: Clock) -> list[ServerAnswer]:
    return in_parallel(lambda address: ask_once(address, target, rtype, ask, clock), servers.addresses)


def _newest(answers: Sequence[ServerAnswer]) -> ServerAnswer | None:
    """The answer with the latest serial, where the primary gave none."""
    best: ServerAnswer | None = None
    for answer in answers:
        if answer.soa.serial is None or not answer.record.authoritative:
            continue
        if best is None or best.soa.serial is None or serial_reached(answer.soa.serial, best.soa.serial):
            best = answer
    return best


def _alias(best: ServerAnswer | None, target: Target, rtype: str) -> list[dict[str, str]]:
    """An alias that stands where the record should: a switch would find that out when the old primary is stopped."""
    if best is None or best.record.alias is None or rtype == "CNAME":
        return []
    text = f"{target.name} is an alias of {best.record.alias}, and nothing can stand beside one: remove it"
    return [{"reason": "conflict", "message": f"{text}, or give the endpoint type CNAME"}]


def _guard(best: ServerAnswer | None, found: _Found) -> Guard | None:
    try:
        return parse_guard(best.guard.values) if best else None
    except GuardUnreadable as error:
        found.problems.append({"reason": "guard_unreadable", "message": str(error)})
        return None
