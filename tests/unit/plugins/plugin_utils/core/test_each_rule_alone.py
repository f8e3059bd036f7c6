# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Each verb begins with a service that it would act on; one change later one rule refuses it, and no other does.

So a rule that a verb forgets lets its state pass: nothing else stands in the way there.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
from types import ModuleType
from typing import Any

import pytest

from ansible_collections.continuity.dr.plugins.plugin_utils.core import (
    failover_rules,
    fencing,
    hold_off,
    holding,
    lineage,
    promotion_rules,
    rejoin_rules,
    rules,
    switchover_rules,
)
from ansible_collections.continuity.dr.plugins.plugin_utils.core.decide import decide
from ansible_collections.continuity.dr.plugins.plugin_utils.core.evidence import Evidence, Sighting
from ansible_collections.continuity.dr.plugins.plugin_utils.core.model import (
    EVERY_VERB,
    HALF_FENCED,
    TOLD,
    Decision,
    EndpointView,
    LastSeen,
    Observation,
    Problem,
    Request,
    Service,
)
from ansible_collections.continuity.dr.plugins.plugin_utils.core.view import View

NOW = 1_000_000.0
SITES = {"db1": "dc1", "db2": "dc2", "db3": "dc3"}
ADDRESS = {"db1": "198.51.100.11", "db2": "203.0.113.11", "db3": "203.0.113.12"}

SERVES: dict[str, Any] = {
    "reachable": True,
    "running": True,
    "role": "primary",
    "writable": True,
    "position": 1000,
    "system_id": "7",
    "timeline": 1,
    "epoch": 0,
    "receiving": None,
    "lag_seconds": None,
}
FOLLOWS: dict[str, Any] = {**SERVES, "role": "replica", "writable": False, "receiving": True, "lag_seconds": 0.0}
ALONE: dict[str, Any] = {**FOLLOWS, "receiving": False, "lag_seconds": 1.0}
STOPPED: dict[str, Any] = {**SERVES, "running": False, "role": "none", "writable": False, "position": None}
SILENT: dict[str, Any] = {**dict.fromkeys(SERVES), "reachable": False, "role": "unknown"}
UNFOLLOWED: dict[str, Any] = {"followers": {}}
FOLLOWED: dict[str, Any] = {"followers": {"db1": "async", "db2": "async", "db3": "async"}}

#: By verb, db1, db2 and db3 as the old primary, the one that is to be primary, and a third; and whom the record names.
#: A failback has the first two the other way round. To prepare is a switchover that only lowers the time to live.
HEALTHY = (SERVES | FOLLOWED, FOLLOWS, FOLLOWS, "old")
BEGINS: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any], str]] = {
    "switchover": HEALTHY,
    "failback": HEALTHY,
    "assess": HEALTHY,
    "prepare": HEALTHY,
    "failover": (STOPPED, ALONE, ALONE, "old"),
    "rejoin": (STOPPED, SERVES | FOLLOWED, FOLLOWS, "new"),
}
PLANNED = ("switchover", "failback", "assess")
MOVES = (*PLANNED, "failover")
STAYS = ("prepare", "rejoin")
EVERY = (*MOVES, *STAYS)
ACTS = ("switchover", "failback", "failover", *STAYS)

DECIDES = (failover_rules, fencing, hold_off, holding, lineage, promotion_rules, rejoin_rules, rules, switchover_rules)


def decided(
    verb: str, *, plan: Any = (), record: Any = (), view: Any = (), request: Any = (), **members: Any
) -> Decision:
    """What the verb decides once its beginning is changed: the members by ``old``, ``new`` and ``third``."""
    *begin, named = BEGINS[verb]
    names = dict(zip(("old", "new", "third"), ("db2", "db1", "db3") if verb == "failback" else SITES, strict=True))
    seen = [
        Observation(name, SITES[name], address=ADDRESS[name], **(values | members.get(who, {})))
        for (who, name), values in zip(names.items(), begin, strict=True)
    ]
    known = {"name": "shop.example.", "reachable": True, "values": (ADDRESS[names[named]],), "ttl": 60} | dict(record)
    known |= {"move_ttl": 5} if verb == "prepare" else {}
    service = dataclasses.replace(Service("shop", 300.0, SITES, "dc1", ("shop.example.",), ("power",)), **dict(plan))
    state = View(service, {one.member: one for one in seen}, (EndpointView(**known),))
    asked = {"target_site": None if verb in ("failback", "rejoin") else "dc2", "prepare": verb == "prepare"}
    name = "switchover" if verb == "prepare" else verb
    return decide(dataclasses.replace(state, **dict(view)), Request(name, "run-1", NOW, **(asked | dict(request))))


def problem(*blocks: str, rule: str = "other_directory") -> dict[str, Any]:
    return {"problems": (Problem(rule, "measured", "limit", "message", blocks, "hint"),)}


def lease(run: str, acted: int = 60) -> dict[str, Any]:
    return {"lease": {"run": run, "owner": "ann@ops", "seconds_left": 200, "acted_seconds_ago": acted}}


def waives(*named: str, **request: Any) -> dict[str, Any]:
    return {"request": {"waive": named, "reason": "because", **request}}


ON = Evidence("db1", "power", "on", None, True, 3, "on", NOW)
SEEN = Sighting("ns0", "db1", "ns0 sees it alive")
NO_RECORD = {"view": {"endpoints": (), "last_seen": LastSeen(NOW - 9, "db1", 1000, {}, 1)}}
MOVED_SINCE = {"epoch": 5, "moved": {"time": NOW - 9000, "run_id": "r-5"}}
LATER = {"promotion": {"member": "db3", "epoch": 5, "timeline": 4, "time": NOW - 9000, "run_id": "r-5"}}
JUST_MOVED = {"promotion": {"member": "db1", "epoch": 1, "timeline": 1, "time": NOW - 60, "run_id": "r-1"}}
#: The claim of this run, from before it was cut off
OPEN = {"claim_run": "run-1", "claim_owner": "me", "claim_seconds_left": 50.0}
#: db2 is promoted, and clients are sent to db1 still; nothing but the silent db1 is in the way of sending them to db2
HALF_WAY = {"new": SERVES, "old": SILENT, "third": ALONE}

Case = tuple[tuple[str, ...], str, str, dict[str, Any]]
CASES: list[Case] = [
    # Of every verb
    (EVERY, "arbiter_unreachable", "a silent name server", {"record": {"reachable": False}}),
    (EVERY, "endpoint_problem", "a record that cannot be changed", {"record": {"problem": "tsig_badkey"}}),
    (EVERY, "claim_held", "another's claim", {"record": {**OPEN, "claim_run": "gone"}}),
    (EVERY, "other_cluster", "another cluster's copy", {"third": {"system_id": "8"}}),
    (EVERY, "other_directory", "a problem that stops every verb", {"third": problem(EVERY_VERB)}),
    (EVERY, "lease_held", "another's lease", {"third": lease("gone")}),
    (
        EVERY,
        "reason_missing",
        "no reason",
        {"record": {"reachable": False}, **waives("arbiter_unreachable", reason=" ")},
    ),
    (ACTS, "holder_alive", "a run that did a step", {"third": lease("gone", 5), **waives(break_lease="gone")}),
    (
        ACTS,
        "holder_unproven",
        "a member where it may sleep",
        {"record": OPEN, "third": SILENT, **waives("missing_candidate")},
    ),
    ((*PLANNED, *STAYS), "stale_primary", "the record moved on", {"record": MOVED_SINCE}),
    ((*PLANNED, *STAYS), "stale_primary", "another was promoted", {"third": LATER}),
    (
        ("failover",),
        "stale_primary",
        "the record moved on",
        {"new": SERVES, "record": {**MOVED_SINCE, "values": (ADDRESS["db2"],)}},
    ),
    (
        ("failover",),
        "stale_primary",
        "another was promoted",
        {"new": SERVES, "third": LATER, "record": {"values": (ADDRESS["db2"],)}},
    ),
    (("failover",), "two_primaries", "two serve", {"old": SERVES, "third": SERVES}),
    (STAYS, "two_primaries", "two serve", {"third": SERVES}),
    # Of two nobody can say which one is to be stopped
    (PLANNED, "two_primaries no_primary", "two serve", {"third": SERVES}),
    (
        (*PLANNED, *STAYS),
        "confirmation_missing",
        "a word for nobody",
        {"record": MOVED_SINCE, **waives("stale_primary")},
    ),
    (("failover",), "confirmation_missing", "a word for nobody", {"old": SILENT, **waives("old_primary_unfenced")}),
    (MOVES, "no_target", "a site without a member", {"request": {"target_site": "dc9"}}),
    # Of whoever is to be promoted, planned or not. A third that runs would be the newer one
    (MOVES, "target_unreachable", "the target is silent", {"new": SILENT, "third": STOPPED}),
    (MOVES, "no_replica", "the target is stopped", {"new": STOPPED, "third": STOPPED}),
    (PLANNED, "other_directory", "a problem of the target", {"new": problem("switchover")}),
    (("failover",), "other_directory", "a problem of the target", {"new": problem("failover")}),
    (MOVES, "no_fence", "a third that is stopped", {"third": STOPPED, "plan": {"fences": ()}}),
    (MOVES, "missing_candidate", "a third that is silent", {"third": SILENT}),
    (
        MOVES,
        "arbiter_unreachable",
        "no record, and a third that is silent",
        {"third": SILENT, **NO_RECORD, **waives("missing_candidate")},
    ),
    # Of a planned move
    (PLANNED, "other_directory", "a problem of the primary", {"old": problem("switchover")}),
    (PLANNED, "no_primary", "nobody serves", {"old": STOPPED}),
    (("prepare",), "no_primary", "nobody serves", {"old": STOPPED}),
    (PLANNED, "not_streaming", "the primary does not know it", {"old": UNFOLLOWED}),
    (PLANNED, "not_streaming", "the target does not receive", {"new": {"receiving": False}}),
    (PLANNED, "timeline_differs", "another timeline", {"new": {"timeline": 2}}),
    (PLANNED, "synchronous_unproven", "asynchronous where none may be lost", {"plan": {"rpo_seconds": 0.0}}),
    (
        PLANNED,
        "setting_too_small",
        "a smaller setting",
        {"old": {"capacities": {"max": 9}}, "new": {"capacities": {"max": 8}}},
    ),
    (PLANNED, "lag_unknown", "the primary's position is unknown", {"old": {"position": None}}),
    (PLANNED, "lag_unknown", "the target's position is unknown", {"new": {"position": None}}),
    (PLANNED, "lag_too_large", "17 MiB behind", {"old": {"position": 17 * 1024 * 1024 + 1000}}),
    (PLANNED, "lag_over_rpo", "301 s behind", {"old": {"position": 1001}, "new": {"lag_seconds": 301.0}}),
    # Of a failover
    (("failover",), "primary_alive", "the primary serves", {"old": SERVES}),
    (
        ("failover",),
        "primary_seen",
        "the target receives",
        {"old": SILENT, "new": FOLLOWS, "view": {"evidence": {"db1": (ON,)}}},
    ),
    (
        ("failover",),
        "primary_seen",
        "a witness sees it",
        {"old": SILENT, "view": {"evidence": {"db1": (ON,)}, "sightings": (SEEN,)}},
    ),
    (("failover",), "old_primary_unfenced", "the primary is silent", {"old": SILENT}),
    (("failover",), "hold_off", "moved a minute ago", {"old": JUST_MOVED, "plan": {"hold_off_seconds": 1800.0}}),
    (("failover",), "newer_replica", "a third has more", {"third": {"position": 1001}}),
    (("failover",), "newer_replica", "a third is on a later timeline", {"third": {"timeline": 2}}),
    (
        ("failover",),
        "timeline_behind",
        "it missed a promotion",
        {"old": {"promotion": {**LATER["promotion"], "member": "db1"}}},
    ),
    (("failover",), "synchronous_unproven", "never seen where none may be lost", {"plan": {"rpo_seconds": 0.0}}),
    (("failover",), "lag_unknown", "nothing bounds the loss", {"new": {"lag_seconds": None}}),
    (("failover",), "lag_over_rpo", "301 s could be lost", {"new": {"lag_seconds": 301.0}}),
    # Of clients that are to follow a promotion which was cut off
    (("switchover", "failover"), "old_primary_unfenced", "cut off, and db1 is silent", HALF_WAY),
    (
        ("switchover", "failover"),
        "primary_seen",
        "cut off, and a witness sees db1",
        {**HALF_WAY, "view": {"evidence": {"db1": (ON,)}, "sightings": (SEEN,)}},
    ),
    # Of a rejoin
    (("rejoin",), "no_primary", "nobody serves", {"new": STOPPED}),
    (("rejoin",), "endpoint_elsewhere", "clients are sent to another", {"record": {"values": (ADDRESS["db1"],)}}),
    (("rejoin",), "endpoint_elsewhere", "and to another", {"record": {"values": (ADDRESS["db2"], ADDRESS["db1"])}}),
    (("rejoin",), "endpoint_elsewhere", "clients are sent to nobody", {"record": {"values": ()}}),
    (("rejoin",), "member_unreachable", "nobody is left", {"new": UNFOLLOWED, "old": SILENT, "third": SILENT}),
    # Of an assessment
    (
        ("assess",),
        "fence_mismatch",
        "off, and it answers",
        {"view": {"evidence": {"db1": (dataclasses.replace(ON, state="off"),)}}},
    ),
    (("assess",), HALF_FENCED, "it would not start again", {"third": problem(TOLD, rule=HALF_FENCED)}),
]
EACH = [(verb, refused.split(), what, changes) for verbs, refused, what, changes in CASES for verb in verbs]


@pytest.mark.parametrize("verb", EVERY)
def test_nothing_refuses_what_a_verb_begins_with(verb: str) -> None:
    decision = decided(verb)
    assert decision.refusals == ()
    assert bool(decision.steps) is (verb != "assess")


@pytest.mark.parametrize(
    ("verb", "refused", "changes"),
    [(verb, refused, changes) for verb, refused, _what, changes in EACH],
    ids=[f"{verb}-{refused[0]}-{what}" for verb, refused, what, _changes in EACH],
)
def test_one_change_and_its_rule_alone_refuses(verb: str, refused: list[str], changes: dict[str, Any]) -> None:
    decision = decided(verb, **changes)
    assert {refusal.rule for refusal in decision.refusals} == set(refused)
    assert decision.steps == ()


@pytest.mark.parametrize("verb", ["switchover", "failover"])
def test_clients_follow_a_cut_off_promotion_only_behind_the_fence_of_whoever_may_still_serve(verb: str) -> None:
    """The same states, and a device that works: neither refused, nor carried out without it."""
    decision = decided(verb, **HALF_WAY, view={"evidence": {"db1": (ON,)}})
    assert decision.refusals == ()
    names = [(step.name, step.member) for step in decision.steps if step.name not in ("rejoin", "verify")]
    assert names == [("claim", None), ("lease", "db2"), ("lease", "db3"), ("fence", "db1"), ("point", None)]
    assert decision.fences == {"db1": ("power",)}


def named_in(*modules: ModuleType) -> set[str]:
    """The rules that these modules refuse by."""
    return {
        word if quoted else getattr(module, word)
        for module in modules
        for quoted, word in re.findall(r'Refusal\(\s*("?)(\w+)"?,', inspect.getsource(module))
    }


@pytest.mark.parametrize(
    ("verbs", "modules"),
    [
        (MOVES, (promotion_rules,)),
        (PLANNED, (switchover_rules,)),
        (("failover",), (failover_rules, hold_off)),
        (("rejoin",), (rejoin_rules,)),
        (EVERY, (rules, lineage)),
        (ACTS, (holding,)),
    ],
    ids=lambda value: "-".join(getattr(each, "__name__", each).rpartition(".")[2] for each in value),
)
def test_no_rule_of_a_verb_is_left_out_above(verbs: tuple[str, ...], modules: tuple[ModuleType, ...]) -> None:
    for verb in verbs:
        assert named_in(*modules) - {refused for by, rule, *_rest in EACH if by == verb for refused in rule} == set(), (
            verb
        )
    assert named_in(*DECIDES) <= {refused for _verb, rule, *_rest in EACH for refused in rule}
