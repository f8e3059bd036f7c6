# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What proves that an old primary without an answer takes no writes, and whose word is taken instead."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime

import pytest
from observed import GONE, left_behind

from ansible_collections.continuity.dr.plugins.plugin_utils.core.decide import decide
from ansible_collections.continuity.dr.plugins.plugin_utils.core.evidence import Evidence, Sighting
from ansible_collections.continuity.dr.plugins.plugin_utils.core.model import (
    EndpointView,
    Observation,
    Request,
    Service,
)
from ansible_collections.continuity.dr.plugins.plugin_utils.core.steps import step_members
from ansible_collections.continuity.dr.plugins.plugin_utils.core.view import View

NOW = datetime(2026, 11, 22, 3, 30, tzinfo=UTC).timestamp()
RUN = "20261122T032900Z-3f9a"
EARLIER = "20261122T032800Z-0000"
CONFIRMED = {"confirm": EARLIER, "confirm_refused_at": NOW - 60}
ALONE = left_behind()
ON = Evidence("db1", "fence_agent", "on", None, True, 3, "fence_lab db1 is on", NOW)
OFF = Evidence("db1", "fence_agent", "off", 3, True, 3, "fence_lab db1 is off", NOW)
DEAF = Evidence("db1", "fence_agent", "unknown", None, False, None, "fence_lab db1 gave no answer within 10 s", NOW)
WEAK = Evidence("db1", "fence_network", "open", None, True, 2, "gw1 has no rules", NOW)
BLIND = Evidence("db1", "fence_network", "unknown", None, False, None, "gw1 did not show its rules", NOW)


def view(
    *said: Evidence, fences: tuple[str, ...] = ("fence_systemd", "fence_agent"), min_level: int = 2, **changes: object
) -> View:
    service = Service("shop", 300.0, {"db1": "dc1", "db2": "dc2"}, "dc1", ("shop.example.",), fences, min_level)
    endpoint = EndpointView("shop.example.", reachable=True, values=("198.51.100.11",))
    return dataclasses.replace(
        View(service, {"db1": GONE, "db2": ALONE}, (endpoint,), None, {"db1": said} if said else {}), **changes
    )


def ask(verb: str = "failover", **changes: object) -> Request:
    return Request(verb=verb, run_id=RUN, now=NOW, target_site="dc2", **changes)


def test_a_device_that_answers_fences_the_silent_primary_before_the_promotion() -> None:
    for said in (ON, OFF):
        decision = decide(view(said), ask())
        assert [(s.name, s.member) for s in decision.steps][2:4] == [("fence", "db1"), ("promote", "db2")]
        assert decision.fences == {"db1": ("fence_agent",)}, "a fence that needs the machine itself is not tried"
        assert not decision.waivers and str(said) in decision.evidence


@pytest.mark.parametrize(
    ("said", "how"),
    [
        (ON, "not following: db1 (powered off); next: run rejoin; do not switch db1 on by hand"),
        (OFF, "not following: db1 (powered off); next: run rejoin; do not switch db1 on by hand"),
        (WEAK, "not following: db1 (cannot be reached); next: run rejoin when it can be reached"),
    ],
)
def test_nobody_is_told_to_bring_back_by_hand_what_would_be_a_second_primary(said: Evidence, how: str) -> None:
    decision = decide(view(said, fences=("fence_agent", "fence_network")), ask())
    assert not decision.refused and decision.redundancy.startswith(how)
    assert ("by hand" in decision.redundancy) == (said is not WEAK)


@pytest.mark.parametrize(
    ("said", "fences", "min_level", "measured"),
    [
        ((), ("fence_systemd",), 2, "fence_systemd: works only on a machine that can be reached"),
        ((), (), 2, "the plan has no fence"),
        ((DEAF,), ("fence_systemd", "fence_agent"), 2, "fence_agent: fence_lab db1 gave no answer within 10 s"),
        ((dataclasses.replace(DEAF, gives=3),), ("fence_agent",), 2, "fence_agent: fence_lab db1 gave no answer"),
        ((dataclasses.replace(ON, gives=0),), ("fence_agent",), 0, "fence_agent can prove level 0 at most"),
        ((WEAK,), ("fence_network",), 3, "fence_network can prove level 2 at most: gw1 has no rules"),
        ((BLIND,), ("fence_network",), 2, "fence_network: gw1 did not show its rules"),
        ((DEAF, BLIND), ("fence_agent", "fence_network"), 1, "gave no answer within 10 s; fence_network: gw1 did not"),
    ],
)
def test_a_fence_that_cannot_prove_enough_refuses_with_what_it_said_and_the_next_command(
    said: tuple[Evidence, ...], fences: tuple[str, ...], min_level: int, measured: str
) -> None:
    decision = decide(view(*said, fences=fences, min_level=min_level), ask())
    refusal = next(r for r in decision.refusals if r.rule == "old_primary_unfenced")
    assert measured in refusal.measured and f"of level {min_level}" in refusal.limit
    assert f"-e confirm={RUN}" in refusal.hint
    assert ("-e waive=old_primary_unfenced " in refusal.hint) is (min_level > 0)
    assert decision.steps == ()


def test_fences_are_tried_in_the_plans_order_and_only_those_that_can() -> None:
    three = ("fence_network", "fence_systemd", "fence_agent")
    assert decide(view(WEAK, ON, fences=three), ask()).fences == {"db1": ("fence_network", "fence_agent")}
    assert decide(view(WEAK, ON, fences=three, min_level=3), ask()).fences == {"db1": ("fence_agent",)}
    crashed = dataclasses.replace(GONE, reachable=True, running=False, role="none", system_id="7", timeline=1)
    here = view(fences=three, observed={"db1": crashed, "db2": ALONE})
    assert decide(here, ask()).fences == {"db1": three}, "of a machine that answers, any may work"


@pytest.mark.parametrize(
    ("confirm", "refused_at", "measured"),
    [
        (EARLIER, NOW - 60, None),
        ("my-drill", NOW - 3600, None),  # a name of one's own is one as well
        (EARLIER, NOW, None),
        (EARLIER, NOW - 3601, f"{EARLIER}, refused 61 minutes ago"),  # out of somebody's history
        (EARLIER, NOW + 1, f"{EARLIER}, refused after this run began: look at the clock"),  # not yet
        (EARLIER, None, f"{EARLIER}, no such refusal is kept here"),  # made up, or not kept here
        (RUN, None, f"{RUN}, this run itself"),
        (RUN, NOW - 60, f"{RUN}, this run itself"),  # the same line a second time
        ("yes", None, "yes, no such refusal is kept here"),
        ("", NOW - 60, "none"),
        (None, NOW - 60, "none"),
    ],
)
def test_a_waiver_of_the_fence_needs_a_confirmation_that_names_a_refusal(
    confirm: str | None, refused_at: float | None, measured: str | None
) -> None:
    word = {"waive": ("old_primary_unfenced",), "reason": "pulled the plug"}
    decision = decide(view(DEAF), ask(**word, confirm=confirm, confirm_refused_at=refused_at))
    rules = [refusal.rule for refusal in decision.refusals]
    assert rules == ([] if measured is None else ["confirmation_missing"])
    if measured is None:
        assert step_members(decision.steps, "promote") == ["db2"] and not step_members(decision.steps, "fence")
        said = next(line for line in decision.evidence if "level 0" in line)
        assert "an operator's word: pulled the plug" in said and str(confirm) in said
    else:
        missing = decision.refusals[0]
        assert missing.measured == measured and f"-e confirm={RUN} " in missing.hint
        assert "refused this service within the hour and is kept here" in missing.limit
        assert decision.steps == ()


@pytest.mark.parametrize(
    ("min_level", "request_", "promotes"),
    [
        (0, ask(**CONFIRMED, reason="pulled the plug"), True),
        (0, ask(reason="pulled the plug"), False),
        (0, ask(**CONFIRMED), False),
        (0, ask(confirm=RUN, reason="pulled the plug"), False),
        (1, ask(**CONFIRMED, reason="pulled the plug"), False),
    ],
)
def test_a_plan_that_takes_a_word_takes_it_only_in_full(min_level: int, request_: Request, promotes: bool) -> None:
    decision = decide(view(DEAF, min_level=min_level), request_)
    assert bool(step_members(decision.steps, "promote")) is promotes, decision
    if not promotes:
        assert [refusal.rule for refusal in decision.refusals] == ["old_primary_unfenced"]


def test_a_device_that_works_is_used_also_where_a_word_would_do() -> None:
    decision = decide(view(ON, min_level=0), ask(**CONFIRMED, reason="pulled the plug"))
    assert step_members(decision.steps, "fence") == ["db1"]
    assert not any("level 0" in line for line in decision.evidence)


def test_whoever_sees_the_database_answer_vetoes_and_is_named() -> None:
    seen = Sighting("ns0", "db1", "ns0 sees 198.51.100.11:5432 alive")
    request = ask(waive=("old_primary_unfenced",), reason="x", **CONFIRMED)
    for said in ((ON,), (DEAF,)):
        decision = decide(view(*said, sightings=(seen,)), request)
        refusal = next(r for r in decision.refusals if r.rule == "primary_seen")
        assert refusal.measured.startswith("ns0 gets an answer from db1") and decision.steps == ()
    target = dataclasses.replace(seen, member="db2")
    assert not decide(view(ON, sightings=(target,)), ask()).refused, "the controller reaches that one itself"


def test_any_silent_member_that_is_seen_alive_vetoes_whoever_was_the_last_primary() -> None:
    """Nothing names db3: it may have been promoted by somebody who left no trace here."""
    third = Observation("db3", "dc2", address="203.0.113.12")
    seen = Sighting("ns0", "db3", "ns0 sees 203.0.113.12:5432 alive")
    request = ask(waive=("missing_candidate",), reason="x")
    three = view(ON, observed={"db1": GONE, "db2": ALONE, "db3": third})
    assert step_members(decide(three, request).steps, "promote") == ["db2"]
    decision = decide(dataclasses.replace(three, sightings=(seen,)), request)
    assert [refusal.rule for refusal in decision.refusals] == ["primary_seen"]


def test_assess_finds_a_device_that_switches_another_machine() -> None:
    primary = dataclasses.replace(
        GONE,
        reachable=True,
        running=True,
        role="primary",
        writable=True,
        position=1000,
        system_id="7",
        timeline=1,
        followers={"db2": "async"},
    )
    follows = dataclasses.replace(ALONE, receiving=True)
    healthy = {"db1": primary, "db2": follows}
    assert not decide(view(ON, observed=healthy), ask("assess")).refused
    wrong = decide(view(OFF, observed=healthy), ask("assess"))
    assert [refusal.rule for refusal in wrong.refusals] == ["fence_mismatch"]
    assert "correct its plug" in wrong.refusals[0].hint
    silent = decide(view(OFF, observed={"db1": GONE, "db2": follows}), ask("assess"))
    assert "fence_mismatch" not in [refusal.rule for refusal in silent.refusals], "one that is silent may be off"


DEVICE_OF_DB2 = dataclasses.replace(ON, member="db2", text="fence_lab db2 is on")
STOPPED = Evidence("db1", "fence_systemd", "stopped", 3, True, 3, "masked", NOW)


def at_boot(starts: dict[str, bool | None], *said: Evidence, **changes: object) -> View:
    """db1 leads and db2 follows; whether the unit of each starts at boot, and what its fences say."""
    runs = {"reachable": True, "running": True, "system_id": "7", "timeline": 1, "position": 1000}
    leads = dataclasses.replace(GONE, role="primary", writable=True, followers={"db2": "async"}, **runs)
    both = {"db1": leads, "db2": dataclasses.replace(ALONE, receiving=True)}
    observed = {
        name: dataclasses.replace(each, starts_at_boot=starts.get(name), engine={"units": [f"{name}@x.service"]})
        for name, each in both.items()
    }
    evidence = {name: tuple(each for each in said if each.member == name) for name in both}
    return view(observed=observed, evidence=evidence, **changes)


@pytest.mark.parametrize(
    ("starts", "said", "told"),
    [
        ({"db1": True}, (ON,), ["db1"]),
        ({"db1": True, "db2": True}, (DEVICE_OF_DB2, ON), ["db1", "db2"]),
        ({"db1": True, "db2": True}, (DEVICE_OF_DB2,), ["db2"]),
        ({"db1": True}, (WEAK, ON), ["db1"]),
        ({"db1": False}, (ON,), []),
        ({"db1": None}, (ON,), []),
        ({"db2": True}, (ON,), []),
        ({"db1": True}, (DEAF,), []),
        ({"db1": True}, (WEAK, BLIND, STOPPED), []),
        ({"db1": True}, (), []),
    ],
    ids=[
        "the primary",
        "both, in the order of their names",
        "only the one with a device",
        "beside a fence of another kind",
        "disabled",
        "not known",
        "the other one starts",
        "the device is deaf",
        "no power device",
        "no fence",
    ],
)
def test_assess_tells_whose_database_a_power_fence_would_give_back_as_a_second_primary(
    starts: dict[str, bool | None], said: tuple[Evidence, ...], told: list[str]
) -> None:
    there = at_boot(starts, *said)
    decision = decide(there, ask("assess"))
    assert [line.partition(":")[0] for line in decision.notices] == told
    for name, line in zip(told, decision.notices, strict=True):
        assert line.startswith(f"{name}: its unit starts when the machine boots, so after a power fence its database")
        assert f"systemctl disable {name}@x.service (on Debian: manual in its start.conf" in line
    assert [line for line in decision.evidence if "boots" in line] == list(decision.notices), "the report has it, once"
    assert decision.evidence[-1].startswith("a failover now"), "which the line of the service ends with"
    assert not decision.refused and not decision.degraded, "it stands in the way of nothing"


def test_only_assess_tells_what_starts_at_boot() -> None:
    there = at_boot({"db1": True, "db2": True}, ON, DEVICE_OF_DB2)
    assert decide(there, ask("assess")).notices
    for verb in ("switchover", "failover", "failback", "rejoin"):
        decision = decide(there, ask(verb))
        assert not decision.notices and not any("boots" in line for line in decision.evidence), verb


def test_an_assessment_that_is_refused_tells_what_starts_at_boot_all_the_same() -> None:
    silent = at_boot({"db1": True}, ON, endpoints=(EndpointView("shop.example.", reachable=False),))
    decision = decide(silent, ask("assess"))
    assert decision.refused and len(decision.notices) == 1


def test_assess_tells_whom_nobody_else_would_look_at_and_only_assess_does() -> None:
    there = view(ON)
    named = dataclasses.replace(there, service=dataclasses.replace(there.service, unwatched=("db1",)))
    (line,) = decide(named, ask("assess")).notices
    assert line.startswith("db1: its address is a name, ") and "give the member an IP address in the plan" in line
    assert not decide(there, ask("assess")).notices
    assert not decide(named, ask("failover")).notices


def test_assess_tells_what_would_be_lost_with_the_site_of_the_primary_and_only_assess_does() -> None:
    there = at_boot({"db1": False, "db2": False})
    inside = {"dc1": ("shop.example.: the name server 198.51.100.53, which keeps its claims,",), "dc2": ("another,",)}
    there = dataclasses.replace(there, service=dataclasses.replace(there.service, inside=inside))
    (line,) = decide(there, ask("assess")).notices
    assert line.startswith(
        "shop.example.: the name server 198.51.100.53, which keeps its claims, is in dc1, the site of"
    )
    assert not decide(there, ask("switchover")).notices


def moved(*said: Evidence, **changes: object) -> View:
    leads = dataclasses.replace(ALONE, role="primary", writable=True, receiving=None)
    old = dataclasses.replace(GONE, **changes)
    there = EndpointView("shop.example.", reachable=True, values=("203.0.113.11",))
    return view(*said, observed={"db1": old, "db2": leads}, endpoints=(there,))


def test_a_member_without_power_is_switched_on_by_rejoin_and_rejoins_in_the_next_run() -> None:
    decision = decide(moved(OFF), ask("rejoin"))
    assert step_members(decision.steps, "release") == ["db1"] and not step_members(decision.steps, "rejoin")
    assert decision.releases == {"db1": ("fence_agent",)}
    assert decision.redundancy == "not following: db1 (switched on, held down); next: run rejoin"
    held = {"reachable": True, "running": False, "role": "none", "fenced": True, "system_id": "7"}
    stopped = Evidence("db1", "fence_systemd", "stopped", 3, True, 3, "masked", NOW)
    following = decide(moved(ON, stopped, **held), ask("rejoin"))
    assert step_members(following.steps, "rejoin") == ["db1"]
    assert following.releases == {"db1": ("fence_systemd",)}
    assert [r.rule for r in decide(moved(DEAF), ask("rejoin")).refusals] == ["member_unreachable"]


def test_power_comes_back_while_the_network_still_keeps_clients_away() -> None:
    isolated = Evidence("db1", "fence_network", "isolated", 2, True, 2, "gw1 drops them", NOW)
    both = dataclasses.replace(moved(OFF, isolated), service=view(fences=("fence_agent", "fence_network")).service)
    assert decide(both, ask("rejoin")).releases == {"db1": ("fence_agent", "fence_network")}


def test_a_fence_of_others_that_says_nothing_is_released_as_before() -> None:
    held = moved(reachable=True, running=False, role="none", fenced=True, system_id="7")
    assert decide(held, ask("rejoin")).releases == {"db1": ("fence_agent", "fence_systemd")}
