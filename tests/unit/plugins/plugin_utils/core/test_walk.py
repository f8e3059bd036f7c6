# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import typing

import pytest

from ansible_collections.continuity.dr.plugins.plugin_utils.core.model import Decision, Step, StepName
from ansible_collections.continuity.dr.plugins.plugin_utils.core.walk import MANY, ONE, layout, stopped_by


def laid_out(*steps: tuple[StepName, str | None]) -> dict[str, typing.Any]:
    return layout(Decision("shop", "switchover", steps=tuple(Step(*step) for step in steps)).to_dict())


def test_a_switchover_is_laid_out_by_name_with_members_in_their_order() -> None:
    assert laid_out(
        ("claim", None),
        ("lease", "db1"),
        ("lease", "db2"),
        ("lower_ttl", None),
        ("fence", "db3"),
        ("demote", "db1"),
        ("promote", "db2"),
        ("point", None),
        ("rejoin", "db3"),
        ("rejoin", "db1"),
        ("verify", "db2"),
    ) == {
        "lease": ["db1", "db2"],
        "fence": ["db3"],
        "rejoin": ["db3", "db1"],
        "demote": "db1",
        "promote": "db2",
        "verify": "db2",
        "point": True,
        "lower_ttl": True,
        "record": "point",
        "release": [],
        "tries": [],
        "look": [],
        "detached": False,
        "releases": [],
    }


def test_each_fence_of_a_member_is_one_try_in_order() -> None:
    steps = (Step("fence", "db1"), Step("fence", "db3"), Step("release", "db4"), Step("rejoin", "db5"))
    fences, releases = {"db1": ("a", "b"), "db3": ("a",)}, {"db5": ("b",), "db4": ("b", "a")}
    decided = Decision("shop", "failover", steps=steps, fences=fences, releases=releases).to_dict()
    laid = layout({**decided, "observed": {"db1": {"reachable": False}, "db3": {"reachable": True}}})
    tries = [("db1", "a", "fence"), ("db1", "b", "fence"), ("db3", "a", "fence")]
    # A machine that answers told itself what came of it: only of the silent one the devices are asked again
    assert [tuple(each.values()) for each in laid["tries"]] == [*tries, ("db1", "a", "prove"), ("db1", "b", "prove")]
    of_nobody = layout(decided)["tries"]
    assert [each["member"] for each in of_nobody if each["step"] == "prove"] == ["db1", "db1", "db3"]
    assert [tuple(each.values()) for each in laid["releases"]] == [("db4", "b"), ("db4", "a"), ("db5", "b")]


def test_what_is_silent_and_kept_down_by_nothing_is_looked_at_again_before_an_unplanned_promotion() -> None:
    observed = {name: {"reachable": name == "db2"} for name in ("db1", "db2", "db3")}
    unplanned = Decision("shop", "failover", steps=(Step("fence", "db3"), Step("promote", "db2"))).to_dict()
    assert layout({**unplanned, "observed": observed})["look"] == ["db1"]
    assert layout({**unplanned, "observed": observed})["detached"] is True
    assert layout({**unplanned, "observed": {"db1": {"reachable": True}}})["detached"] is False
    planned = Decision("shop", "switchover", steps=(Step("demote", "db4"), Step("promote", "db2"))).to_dict()
    nobody = Decision("shop", "rejoin", steps=(Step("rejoin", "db2"),)).to_dict()
    laid = [layout({**decided, "observed": observed}) for decided in (planned, nobody)]
    assert [(each["look"], each["detached"]) for each in laid] == [([], False)] * 2


def test_what_a_decision_does_not_hold_is_laid_out_as_nothing() -> None:
    nothing = dict.fromkeys(("lease", "fence", "rejoin", "release", "tries", "look", "releases"), [])
    nothing |= {"demote": None, "promote": None, "verify": None, "point": False, "lower_ttl": False, "record": ""}
    nothing |= {"detached": False}
    assert laid_out() == layout({}) == layout({"steps": None}) == nothing


def test_every_step_that_a_decision_can_hold_has_its_place() -> None:
    known = set(typing.get_args(StepName))
    # the claim is taken by whoever takes the leases; protection comes back with the member that rejoins
    assert known - {"claim", "protect"} == {*MANY, *ONE, "point", "lower_ttl", "restore_ttl"}


@pytest.mark.parametrize(
    ("steps", "record", "before_the_freeze"),
    [
        (["lower_ttl", "verify"], "prepare", False),
        (["restore_ttl", "verify"], "restore", False),
        (["point", "verify"], "point", False),
        (["lower_ttl", "demote", "promote", "point"], "point", True),
        (["lower_ttl", "demote", "promote"], "", True),
    ],
)
def test_what_is_done_to_the_records_and_when(steps: list[StepName], record: str, before_the_freeze: bool) -> None:
    laid = laid_out(*((name, "db1") for name in steps))
    assert (laid["record"], laid["lower_ttl"]) == (record, before_the_freeze)


@pytest.mark.parametrize(
    ("outcomes", "why"),
    [
        ({"accounts-db": {"state": "failed"}}, "it depends on accounts-db, which failed in this run"),
        ({"accounts-db": {"state": "refused"}}, "it depends on accounts-db, which was refused in this run"),
        ({"accounts-db": {}}, "it depends on accounts-db, which came to no end in this run"),
        ({"a": {"state": "done"}, "b": {"state": "failed"}}, "it depends on b, which failed in this run"),
    ],
)
def test_a_service_waits_for_what_it_depends_on(outcomes: dict[str, dict[str, str]], why: str) -> None:
    assert stopped_by(outcomes) == why


@pytest.mark.parametrize("outcomes", [{}, {"a": {"state": "done"}}, {"a": {"state": "begun"}}])
def test_nothing_stops_a_service_whose_dependencies_did_not_end_badly(outcomes: dict[str, dict[str, str]]) -> None:
    assert stopped_by(outcomes) == ""
