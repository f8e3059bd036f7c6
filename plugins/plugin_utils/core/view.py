# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""All that is known of one service at one moment, and the questions a decision asks of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ansible_collections.continuity.dr.plugins.plugin_utils.core.evidence import Evidence, Sighting
from ansible_collections.continuity.dr.plugins.plugin_utils.core.model import (
    EndpointView,
    LastSeen,
    Observation,
    Request,
    Service,
)

#: One of several of which some, and not always the same, confirm each commit before the client hears of it.
QUORUM = "quorum"
#: How PostgreSQL and its like call a follower that confirms commits before the client hears of them.
SYNCHRONOUS = ("sync", QUORUM)
#: One that is named as well and takes the place of the synchronous one as soon as that is lost. It proves nothing.
NEXT_IN_LINE = ("potential",)


def attached_as(mode: str) -> str:
    """How a follower is attached, without the reason after a comma for which even a synchronous one proves nothing.

    >>> attached_as("sync, commits do not wait")
    'sync'
    """
    return mode.partition(",")[0]


def describe(observed: Observation) -> str:
    """One member in one line.

    >>> describe(Observation("db1", "dc1"))
    'db1 (dc1): unreachable'
    """
    if not observed.reachable:
        state = "unreachable"
    elif observed.is_primary:
        state = f"primary, timeline {observed.timeline}"
    elif observed.is_replica:
        state = f"replica of {observed.upstream or 'nobody'}, timeline {observed.timeline}"
    elif observed.fenced:
        state = "stopped and fenced"
    else:
        state = "stopped" if observed.running is False else "does not answer"
    return f"{observed.member} ({observed.site}): {state}"


@dataclass(frozen=True)
class View:
    """The observations of every member, what the endpoints say, and the last sight of a primary."""

    service: Service
    observed: Mapping[str, Observation]
    endpoints: tuple[EndpointView, ...] = ()
    last_seen: LastSeen | None = None
    #: by member, what each fence of the plan said in this run
    evidence: Mapping[str, tuple[Evidence, ...]] = field(default_factory=dict)
    #: machines that saw a member alive which the controller cannot reach
    sightings: tuple[Sighting, ...] = ()

    @property
    def primaries(self) -> list[Observation]:
        """Every member seen running as a primary: more than one is a split that no verb may touch."""
        return [observed for observed in self.observed.values() if observed.is_primary]

    @property
    def primary(self) -> Observation | None:
        """The one running primary; None when there is none, or more than one."""
        found = self.primaries
        return found[0] if len(found) == 1 else None

    @property
    def epoch(self) -> int:
        """The highest epoch anybody knows of."""
        known = [endpoint.epoch for endpoint in self.endpoints]
        known += [observed.epoch for observed in self.observed.values() if observed.epoch is not None]
        return max(known, default=0)

    def others(self, target: Observation) -> list[Observation]:
        """Every member but ``target``, reachable or not, in the plan's order."""
        return [observed for observed in self.observed.values() if observed is not target]

    def cleanly_stopped(self, target: Observation) -> Observation | None:
        """The primary that an earlier run froze and nobody took over from; None when that is not certain.

        A member that stopped cleanly long ago proves nothing about what the last primary had: it must be the one that
        endpoint and records name, on the target's own timeline.
        """
        old = self.old_primary(target)
        if old is None or old.running is not False or not old.engine.get("stopped_cleanly"):
            return None
        return old if old.timeline == target.timeline else None

    def target(self, request: Request) -> Observation | None:
        """The member to become primary; in a site with several, a replica with the newest data."""
        site = self.target_site(request)
        there = [observed for observed in self.observed.values() if observed.site == site]
        # The newest, as `newer_replica` has it: it would refuse any other with the hint to move to this very site
        return max(there, key=lambda o: (o.is_primary, o.is_replica, o.timeline or 0, o.position or 0), default=None)

    def target_site(self, request: Request) -> str | None:
        """The site asked for. Failback means the preferred one; a site that is left, the only other one.

        Nothing else is guessed: "the other site" would move back what the same command has just moved.
        """
        if request.target_site:
            return request.target_site
        if request.verb == "failback":
            return self.service.preferred_site
        leaving = request.source_site
        if request.verb == "assess" and leaving is None and len(self.sites_of_primary()) == 1:
            leaving = next(iter(self.sites_of_primary()))
        elsewhere = sorted(set(self.service.sites.values()) - {leaving})
        return elsewhere[0] if leaving and len(elsewhere) == 1 else None

    def promotion_member(self) -> str | None:
        """The member that the newest promotion record names."""
        records = [o.promotion for o in self.observed.values() if o.promotion]
        newest = max(records, key=lambda record: int(record.get("epoch") or 0), default=None)
        return str(newest["member"]) if newest and newest.get("member") else None

    def old_primary(self, target: Observation) -> Observation | None:
        """The member that was primary, as far as anything still tells: endpoint, last sight, promotion record."""
        addresses = {value for endpoint in self.endpoints for value in endpoint.values}
        others = self.others(target)
        by_endpoint = [o for o in others if o.address in addresses]
        named = (self.last_seen.member if self.last_seen else None, self.promotion_member())
        by_record = [o for name in named for o in others if o.member == name]
        preferred = [o for o in others if o.site == self.service.preferred_site]
        return next(iter([*by_endpoint, *by_record, *preferred, *others]), None)

    def named_primaries(self) -> set[str]:
        """Every member that an endpoint, the last sight or any promotion record names, also where they disagree."""
        addresses = {value for endpoint in self.endpoints for value in endpoint.values}
        named = {o.member for o in self.observed.values() if o.address in addresses}
        named |= {self.last_seen.member} if self.last_seen else set()
        return named | {str(o.promotion.get("member")) for o in self.observed.values() if o.promotion}

    def sites_of_primary(self) -> set[str]:
        """Every site that anything names as the primary's: a run cut off half-way is found by any of them."""
        addresses = {value for endpoint in self.endpoints for value in endpoint.values}
        found = {o.site for o in self.primaries}
        found |= {o.site for o in self.observed.values() if o.address in addresses}
        found |= {self.service.preferred_site} if any(e.claim_run for e in self.endpoints) else set()
        promoted = None if found else self.promotion_member()
        seen = self.last_seen.member if self.last_seen and not self.primaries else None
        found |= {o.site for o in self.observed.values() if o.member in (promoted, seen)}
        return found or {self.service.preferred_site}

    def endpoints_hold(self, address: str) -> bool:
        """Every endpoint sends clients to this address and to nothing else. Of a silent one that is not known."""
        return all(endpoint.values == (address,) for endpoint in self.endpoints)

    def reachable_endpoints_hold(self, address: str) -> bool:
        """The same of those that can be asked: nothing is left to switch now."""
        return all(endpoint.values == (address,) for endpoint in self.endpoints if endpoint.reachable)

    def not_following(self, primary: Observation) -> list[Observation]:
        """Members that are not in replication with it, or not as synchronously as the plan promises."""
        return [other for other in self.others(primary) if not self.follows(other, primary)]

    def follows(self, replica: Observation, primary: Observation) -> bool:
        """Both sides say that it streams; where the plan promises no loss, synchronously or next in line for it.

        Whether that proves anything is another question, which no rejoin answers.
        """
        mode = primary.followers.get(replica.member)
        streams = replica.is_replica and bool(replica.receiving) and mode is not None
        return streams and (self.service.rpo_seconds > 0 or attached_as(mode or "") in SYNCHRONOUS + NEXT_IN_LINE)
