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
        "releases": [],
    }


def test_each_fence_of_a_member_is_one_try_in_order() -> None:
    steps = (Step("fence", "db1"), Step("fence", "db3"), Step("release", "db4"), Step("rejoin", "db5"))
    fences, releases = {"db1": ("a", "b"), "db3": ("a",)}, {"db5": ("b",), "db4": ("b", "a")}
    laid = layout(Decision("shop", "failover", steps=steps, fences=fences, releases=releases).to_dict())
    assert [tuple(each.values()) for each in laid["tries"]] == [("db1", "a"), ("db1", "b"), ("db3", "a")]
    assert [tuple(each.values()) for each in laid["releases"]] == [("db4", "b"), ("db4", "a"), ("db5", "b")]


def test_what_a_decision_does_not_hold_is_laid_out_as_nothing() -> None:
    nothing = dict.fromkeys(("lease", "fence", "rejoin", "release", "tries", "releases"), [])
    nothing |= {"demote": None, "promote": None, "verify": None, "point": False, "lower_ttl": False, "record": ""}
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
