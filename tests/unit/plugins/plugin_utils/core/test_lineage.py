# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A primary that was given up and came back is no primary: nothing is pointed at it, and nobody is rejoined to it."""

from __future__ import annotations

import shlex
from typing import Any

import pytest

from ansible_collections.continuity.dr.plugins.plugin_utils.core.decide import decide
from ansible_collections.continuity.dr.plugins.plugin_utils.core.model import (
    EndpointView,
    Observation,
    Request,
    Service,
)
from ansible_collections.continuity.dr.plugins.plugin_utils.core.view import View

NOW = 1_000_000.0
VERBS = [
    ("failover", "dc1"),
    ("switchover", "dc1"),
    ("switchover", "dc2"),
    ("failback", None),
    ("rejoin", None),
    ("assess", "dc1"),
]
DB2_TOOK_OVER = {"member": "db2", "epoch": 4, "timeline": 2, "time": NOW - 900}


def back(**changes: Any) -> Observation:
    """db1, which runs again as the primary that it was."""
    values = {"role": "primary", "writable": True, "position": 1000, "timeline": 1, "epoch": 3} | changes
    return Observation("db1", "dc1", True, True, address="198.51.100.11", system_id="7", fenced=False, **values)


def newer(**changes: Any) -> Observation:
    return Observation("db2", "dc2", address="203.0.113.11", **changes)


def seen(*observed: Observation, epoch: int = 4, moved: bool = True) -> View:
    service = Service("shop", 300.0, {o.member: o.site for o in observed}, "dc1", ("shop.example.",))
    by = {"time": NOW - 900, "run_id": "r-4"} if moved else None
    endpoint = EndpointView("shop.example.", True, values=("203.0.113.11",), epoch=epoch, moved=by)
    return View(service, {o.member: o for o in observed}, (endpoint,))


def refused(view: View, verb: str, site: str | None = None, **more: Any) -> list[str]:
    decision = decide(view, Request(verb, "r-9", NOW, target_site=site, **more))
    assert not (decision.steps and decision.refusals)
    return [refusal.rule for refusal in decision.refusals]


@pytest.mark.parametrize(("verb", "site"), VERBS)
@pytest.mark.parametrize(
    "view",
    [
        seen(back(), newer()),
        seen(back(), newer(reachable=True, running=False, role="none", system_id="7", timeline=2, epoch=4)),
        seen(back(epoch=4, promotion=DB2_TOOK_OVER), newer(), moved=False),
        seen(back(epoch=4), newer(reachable=True, role="none", promotion=DB2_TOOK_OVER), moved=False),
    ],
    ids=[
        "switched without it",
        "switched without it, the newer one stopped",
        "its own record",
        "the newer one's record",
    ],
)
def test_no_verb_takes_it_for_the_primary(view: View, verb: str, site: str | None) -> None:
    assert "stale_primary" in refused(view, verb, site)


@pytest.mark.parametrize(
    "view",
    [
        seen(back(epoch=4), newer()),
        seen(back(epoch=5), newer()),
        seen(back(epoch=None), newer()),
        seen(back(), newer(), moved=False),
        seen(back(timeline=3, epoch=4, promotion=DB2_TOOK_OVER), newer(), moved=False),
        seen(back(epoch=4, promotion={**DB2_TOOK_OVER, "member": "db1"}), newer(), moved=False),
        seen(back(epoch=4, promotion={"member": "db2", "epoch": 4}), newer(), moved=False),
    ],
    ids=[
        "it took part",
        "later",
        "engine without epochs",
        "claimed only",
        "promoted by hand since",
        "its own",
        "unfinished",
    ],
)
def test_one_that_is_the_newest_is_left_alone(view: View) -> None:
    assert "stale_primary" not in refused(view, "failover", "dc1")


def test_it_says_what_it_missed_and_what_to_do() -> None:
    decision = decide(seen(back(), newer()), Request("failover", "r-9", NOW, target_site="dc1"))
    (refusal,) = [each for each in decision.refusals if each.rule == "stale_primary"]
    assert refusal.measured == "shop.example. was switched by run r-4, epoch 4; it knows epoch 3"
    mend, _only, word = refusal.hint.partition(". Only where db2 is lost for good and switched off, say so: ")
    assert mend == "stop and mask db1's database, bring db2 back, then run rejoin"
    assert word == "-e waive=stale_primary (other rules after a comma) -e confirm=r-9 -e \"reason='...'\""


def test_the_word_that_it_prints_is_taken() -> None:
    """What is typed as printed leaves no refusal of this rule, nor of the word's form."""
    view = seen(back(), newer())
    refusals = decide(view, Request("failover", "r-9", NOW, target_site="dc1")).refusals
    (hint,) = [each.hint for each in refusals if each.rule == "stale_primary"]
    options = dict(word.split("=", 1) for word in shlex.split(hint.partition("say so: ")[2]) if "=" in word)
    waive = (options["waive"], "old_primary_unfenced")
    given = {"waive": waive, "confirm": options["confirm"], "reason": "db2 burned down"}
    again = Request("failover", "r-10", NOW, target_site="dc1", confirm_refused_at=NOW - 60, **given)
    assert decide(view, again).refusals == ()


@pytest.mark.parametrize(
    "asks", [{"verb": "assess"}, {"verb": "switchover", "drill": True}, {"verb": "failover", "drill": True}]
)
def test_a_run_whose_refusal_no_word_can_name_prints_none(asks: dict[str, Any]) -> None:
    """What assess and a drill print is not kept as a refusal of the verb that acts, so its id would confirm nothing."""
    word = {"waive": ("old_primary_unfenced",), "reason": "db2 burned down"}
    refusals = decide(seen(back(), newer()), Request(run_id="r-9", now=NOW, target_site="dc1", **asks, **word)).refusals
    risky = [
        each for each in refusals if each.rule in ("stale_primary", "old_primary_unfenced", "confirmation_missing")
    ]
    assert risky and not [each.hint for each in risky if "confirm=" in each.hint]
    assert "say so to the verb that shall move it" in risky[0].hint


def test_a_word_for_it_names_the_run() -> None:
    waived = {"waive": ("stale_primary", "old_primary_unfenced"), "reason": "db2 burned down"}
    assert refused(seen(back(), newer()), "failover", "dc1", **waived) == ["confirmation_missing"]
    named = {"confirm": "r-8", "confirm_refused_at": NOW - 60}
    taken = decide(seen(back(), newer()), Request("failover", "r-9", NOW, target_site="dc1", **named, **waived))
    assert [step.name for step in taken.steps] == ["claim", "lease", "point", "verify"]
    assert [waiver.rule for waiver in taken.waivers] == ["stale_primary", "old_primary_unfenced"]


@pytest.mark.parametrize("verb", ["failover", "switchover"])
def test_clients_are_not_sent_to_a_primary_while_the_one_they_are_sent_to_may_serve(verb: str) -> None:
    """Nothing tells of a later promotion: it was made by hand. The record names the other, which gives no answer."""
    assert refused(seen(back(), newer(), moved=False), verb, "dc1") == ["old_primary_unfenced"]
    follows = Observation(
        "db3", "dc3", True, True, "replica", receiving=True, upstream="db2:5432", address="203.0.113.12"
    )
    assert "primary_seen" in refused(seen(back(), newer(), follows, moved=False), verb, "dc1")


def test_what_a_cut_off_run_has_promoted_gets_its_clients() -> None:
    own = {"member": "db1", "epoch": 4, "timeline": 1}
    assert refused(seen(back(epoch=4, promotion=own), newer(), moved=False), "failover", "dc1") == []
    later = refused(seen(back(epoch=4, promotion=own), newer(), epoch=5, moved=False), "failover", "dc1")
    assert later == ["old_primary_unfenced"], "somebody claimed after it, and may have promoted"


def test_the_waiver_alone_never_lets_an_outdated_primary_serve() -> None:
    """Nothing else is waived here that would ask for the confirmation."""
    waived = {"waive": ("stale_primary",), "reason": "db2 burnt down"}
    assert refused(seen(back(), newer()), "assess", "dc1", **waived) == ["confirmation_missing"]


OWN = {"member": "db1", "epoch": 5, "timeline": 3, "time": NOW - 60}


@pytest.mark.parametrize(
    ("primary", "other", "stale"),
    [
        ({"timeline": 1}, {}, True),
        ({"timeline": 2}, {}, True),
        ({"timeline": 3}, {}, False),
        ({"timeline": None}, {}, False),
        ({"timeline": 2, "promotion": OWN}, {}, False),
        ({"timeline": 2, "promotion": {**OWN, "epoch": 3}}, {}, True),
        ({"timeline": 1}, {"timeline": None}, False),
    ],
    ids=[
        "on an earlier timeline",
        "on the very timeline that the other one was promoted to",
        "on a later one",
        "on one that is not known",
        "its own promotion is the newest",
        "its own promotion is an older one",
        "the record names no timeline",
    ],
)
def test_the_newest_record_of_another_member_outdates_a_primary_that_is_on_no_later_timeline(
    primary: dict[str, Any], other: dict[str, Any], stale: bool
) -> None:
    record = {**DB2_TOOK_OVER, **other}
    there = newer(reachable=True, role="none", promotion=record)
    view = seen(back(epoch=9, **primary), there, moved=False)
    assert ("stale_primary" in refused(view, "switchover", "dc2")) is stale
