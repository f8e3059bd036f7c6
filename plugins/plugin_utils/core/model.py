# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The neutral words of every engine: what was observed, what is asked for, what was decided.

Everything here is an immutable value. What could not be known is ``None``, never a guess: lag that is
unknown is not lag zero. Times are seconds since the epoch (``float``), durations are seconds.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from ansible_collections.continuity.dr.plugins.plugin_utils.core.evidence import DEFAULT_MIN_LEVEL

Role = Literal["primary", "replica", "none", "unknown"]
StepName = Literal[
    "claim",
    "lease",
    "lower_ttl",
    "demote",
    "fence",
    "promote",
    "point",
    "restore_ttl",
    "rejoin",
    "release",
    "protect",
    "verify",
]

#: In `Problem.blocks`: whichever member has it, and whatever was asked for.
EVERY_VERB = "every verb"

#: In `Problem.blocks`: assess tells it, and so does every verb that is refused, which it may explain.
TOLD = "assess"
#: The rule of a `Problem`: the member runs and would not start again. What was to stop it was cut off after its mask.
HALF_FENCED = "half_fenced"

#: Rules an operator may waive by name, each with what the waiver gives up. Nothing else can be waived.
WAIVABLE: Mapping[str, str] = {
    "old_primary_unfenced": "the old primary may still take writes: two primaries are possible",
    "synchronous_unproven": "the standby may miss acknowledged commits although the plan promises none are lost",
    "lag_unknown": "how much is lost is not known before it is lost",
    "arbiter_unreachable": "nobody but the members' own leases keeps a second operator out",
    "missing_candidate": "a member that cannot be reached may hold newer data than the one promoted",
    "archiver_backlog": "the old primary may not shut down until its archive catches up",
    "stale_primary": "what the newer primary acknowledged is lost, and it may still take writes",
    "hold_off": "a service that was just moved is failed over again: whatever moves it may go on doing so",
}
WAIVABLE_RULES: frozenset[str] = frozenset(WAIVABLE)
#: Rules that a decision may refuse by and nobody can waive, so that who tries is told so. docs/rules.md has them all.
FIXED_RULES: frozenset[str] = frozenset(
    (
        "archive_gap",
        "claim_held",
        "confirmation_missing",
        "endpoint_elsewhere",
        "endpoint_problem",
        "fence_mismatch",
        HALF_FENCED,
        "holder_alive",
        "holder_unproven",
        "lag_over_rpo",
        "lag_too_large",
        "lease_held",
        "member_unreachable",
        "newer_replica",
        "no_archive",
        "no_backup",
        "no_fence",
        "no_primary",
        "no_replica",
        "no_such_repository",
        "no_target",
        "not_streaming",
        "nothing_to_exercise",
        "other_cluster",
        "primary_alive",
        "primary_seen",
        "reason_missing",
        "repository_unreachable",
        "setting_too_small",
        "target_before_backup",
        "target_not_archived",
        "target_unreachable",
        "timeline_behind",
        "timeline_differs",
        "timeline_not_archived",
        "two_primaries",
    )
)


@dataclass(frozen=True)
class Problem:
    """Something about one member that stands in the way of ``blocks`` (verbs), in the engine's own words."""

    rule: str
    measured: str
    limit: str
    message: str
    blocks: tuple[str, ...] = ("switchover", "failover")
    hint: str = ""


@dataclass(frozen=True)
class Observation:
    """What one member said of one service just now."""

    member: str
    site: str
    reachable: bool = False
    running: bool | None = None
    role: Role = "unknown"
    writable: bool | None = None
    position: int | None = None
    lag_bytes: int | None = None
    lag_seconds: float | None = None
    #: the commit whose age `lag_seconds` is: its time by the clock of the primary that made it. None: it is no such age
    committed: float | None = None
    upstream: str | None = None
    last_contact: float | None = None
    system_id: str | None = None
    timeline: int | None = None
    epoch: int | None = None
    version: str | None = None
    #: the address clients reach it at: what an endpoint holds when this member is the primary
    address: str = ""
    #: stopped and kept from starting again, also over a reboot
    fenced: bool | None = None
    #: what a stopped member would come back as if somebody started it
    comes_back_as: Role | None = None
    #: its database starts when its machine boots, though no verb started it. None: nobody can tell
    starts_at_boot: bool | None = None
    #: replicas streaming from it (a primary) and how: {"db2": "sync"}. "sync, <reason>" is one that proves nothing
    followers: Mapping[str, str] = field(default_factory=dict)
    #: it receives from a live upstream at this moment (a replica): a positive sighting of a primary
    receiving: bool | None = None
    #: the last promotion it knows of: {"member", "epoch", "position", "timeline", "system_id", "time", "run_id"}
    promotion: Mapping[str, Any] | None = None
    #: the lease on it: {"run", "owner", "seconds_left", "acted_seconds_ago"}; None when nobody holds it
    lease: Mapping[str, Any] | None = None
    #: settings that a replica needs at least as large as its primary has them
    capacities: Mapping[str, int] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    #: the controller's clock just before it was asked: what is said of the member held no earlier than this
    asked: float | None = None
    #: its own clock when it answered
    clock: float | None = None
    #: facts only the engine's own actions read
    engine: Mapping[str, Any] = field(default_factory=dict)

    @property
    def clock_ahead(self) -> float | None:
        """By at most so many seconds its clock is ahead of the controller's: it looked at it after it was asked."""
        return None if self.clock is None or self.asked is None else self.clock - self.asked

    @property
    def is_primary(self) -> bool:
        """It runs and takes writes, or would if it were asked."""
        return bool(self.reachable and self.running and self.role == "primary")

    @property
    def is_replica(self) -> bool:
        """It runs and follows, or would if it had an upstream."""
        return bool(self.reachable and self.running and self.role == "replica")

    @property
    def stays_replica(self) -> bool:
        """It follows, and no promotion was sent to it that may yet come: such a one ends only with the server."""
        return self.is_replica and not self.engine.get("promoting")

    @property
    def half_fenced(self) -> bool:
        """It runs, and a reboot would end that: a fence, or a freeze, was cut off between its mask and its stop."""
        return any(problem.rule == HALF_FENCED for problem in self.problems)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Observation:
        """Read what an engine's observe returned; unknown keys are refused by the constructor."""
        values = dict(data)
        values["problems"] = tuple(Problem(**{**p, "blocks": tuple(p["blocks"])}) for p in values.get("problems") or ())
        return cls(**values)


@dataclass(frozen=True)
class EndpointView:
    """What the name service (or another endpoint) says: where clients are sent and who holds the claim."""

    name: str
    reachable: bool
    values: tuple[str, ...] = ()
    epoch: int = 0
    claim_run: str | None = None
    claim_owner: str | None = None
    #: seconds until others may take the claim; 0 when no claim is open
    claim_seconds_left: float = 0.0
    problem: str = ""
    #: the last move of the record, as its claim tells: {"time", "run_id"}; it outlives every member
    moved: Mapping[str, Any] | None = None
    #: for how many seconds clients may keep an answer; and what the plan wants: normally, and around a planned move
    ttl: int | None = None
    planned_ttl: int | None = None
    move_ttl: int | None = None
    #: for so long somebody may still hold an answer with a longer one, which was lowered before
    cached_seconds: float = 0.0


@dataclass(frozen=True)
class LastSeen:
    """An earlier observation of the primary, kept by the controller: the only witness once it is dead."""

    time: float
    member: str
    position: int | None
    followers: Mapping[str, str]
    timeline: int | None = None
    system_id: str | None = None
    #: `Observation.clock_ahead` of that time: the commits that it left behind have the time of its clock
    clock_ahead: float | None = None


@dataclass(frozen=True)
class Request:
    """What the operator asked for. ``accept_data_loss_seconds`` is a bound, never a yes."""

    verb: str
    run_id: str
    now: float
    target_site: str | None = None
    source_site: str | None = None
    accept_data_loss_seconds: float | None = None
    waive: tuple[str, ...] = ()
    reason: str = ""
    outage_started: float | None = None
    #: the run that the operator typed to stand by their word about a fence
    confirm: str | None = None
    #: when that run refused this service, in seconds since the epoch; none: no such run is kept here
    confirm_refused_at: float | None = None
    #: the run that the operator typed as gone for good: what it holds is taken from it
    break_lease: str | None = None
    #: the run broke the service itself, to exercise what follows
    drill: bool = False
    #: only what makes the move cheap an hour later, not the move
    prepare: bool = False


@dataclass(frozen=True)
class Service:
    """The part of the plan that a decision needs."""

    name: str
    rpo_seconds: float
    sites: Mapping[str, str]
    preferred_site: str
    endpoints: tuple[str, ...] = ()
    #: the plan's fences by name, in the order in which they are tried
    fences: tuple[str, ...] = ("fence_systemd",)
    #: the weakest evidence that counts for a member that must not serve
    min_level: int = DEFAULT_MIN_LEVEL
    #: for so long after a promotion a failover needs an acknowledgement; 0: never
    hold_off_seconds: float = 0.0
    #: members with names in place of addresses: no witness looks whether their database lives
    unwatched: tuple[str, ...] = ()
    #: by site: what a failover out of it needs, and what lives in it
    inside: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def has_fence(self) -> bool:
        """The plan has something that could fence a member."""
        return bool(self.fences)


@dataclass(frozen=True)
class Refusal:
    """One unmet rule: what was measured, what the limit is, and what to do next."""

    rule: str
    measured: str
    limit: str
    message: str
    hint: str = ""

    @property
    def waivable(self) -> bool:
        """The operator may go on in spite of it, by naming the rule and giving a reason."""
        return self.rule in WAIVABLE_RULES


@dataclass(frozen=True)
class Step:
    """One thing to do, at one member or (``member=None``) at the controller or the endpoint."""

    name: StepName
    member: str | None = None


@dataclass(frozen=True)
class Decision:
    """Ordered steps for one service, or every reason why there are none."""

    service: str
    verb: str
    steps: tuple[Step, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    waivers: tuple[Refusal, ...] = ()
    evidence: tuple[str, ...] = ()
    from_member: str | None = None
    to_member: str | None = None
    from_site: str | None = None
    to_site: str | None = None
    #: what the service can fall back on once the steps are done, and the command that restores the rest
    redundancy: str = ""
    #: for how long clients may be sent to the old address after the move, and how to shorten that
    caches: tuple[str, ...] = ()
    #: what nothing forbids, and what is better mended before it is needed
    notices: tuple[str, ...] = ()
    #: where nothing is left to do: what could not be done all the same, as the report takes it: {"name", "message"}
    degraded: tuple[Mapping[str, str], ...] = ()
    epoch: int = 0
    #: for each fence step the fences to try, in order
    fences: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    #: what holds each member that comes back, to be lifted in this order
    releases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    #: the members whose leases, with its claims, this run gives back where the steps are not carried out
    gives_back: tuple[str, ...] = ()
    min_level: int = DEFAULT_MIN_LEVEL

    @property
    def refused(self) -> bool:
        """At least one rule is unmet and was not waived; then there are no steps."""
        return bool(self.refusals)

    @property
    def goal_reached(self) -> bool:
        """Nothing is left to do, and nothing forbids what was asked for."""
        return not self.steps and not self.refusals

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types, for the journal and for the tasks that follow."""
        data = cast("dict[str, Any]", _plain(dataclasses.asdict(self)))
        data.update(refused=self.refused, goal_reached=self.goal_reached)
        return data


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value
