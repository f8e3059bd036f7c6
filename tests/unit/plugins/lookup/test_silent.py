# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import pytest

from ansible_collections.continuity.dr.plugins.lookup.silent import LookupModule
from ansible_collections.continuity.dr.plugins.plugin_utils import run

SERVICE = {
    "name": "shop",
    "members": [
        {"host": "db1", "site": "dc1", "address": "198.51.100.11", "replication_address": "203.0.113.131"},
        {"host": "db2", "site": "dc2", "address": "203.0.113.11", "replication_address": "203.0.113.11", "port": 5434},
    ],
    "fences": [{"role": "a.b.fence_x", "name": "fence_x"}, {"role": "a.b.fence_y", "name": "fence_y"}],
    "witnesses": ["ns0", "db2"],
}


@pytest.fixture
def ask(tmp_path):
    run.forget()
    run.begin(verb="failover", inputs={}, plan={}, services={"shop": SERVICE}, runs_directory=str(tmp_path))

    def do(*terms, reachable=("db2",), asked=None):
        engine = {"units": ["db.service"], "ports": [5432]}
        seen = {"db1": {"reachable": "db1" in reachable, "engine": engine}, "db2": {"reachable": "db2" in reachable}}
        for host, when in (asked or {}).items():
            seen[host]["asked"] = when
        hostvars = {host: {"ansible_facts": {"continuity_observed": {"shop": said}}} for host, said in seen.items()}
        return LookupModule().run(terms, {"hostvars": hostvars})[0]

    yield do
    run.forget()


def test_in_a_failover_the_fences_are_asked_about_the_silent(ask):
    found = ask("fences", "shop", "failover")
    assert [(each["fence"], each["role"], each["member"]["host"]) for each in found] == [
        ("fence_x", "a.b.fence_x", "db1"),
        ("fence_y", "a.b.fence_y", "db1"),
    ]
    assert (found[0]["reachable"], found[0]["units"], found[0]["ports"]) == (False, ["db.service"], [5432])
    assert ask("fences", "shop", "failover", reachable=("db1", "db2")) == []


def test_in_every_other_stage_about_all_members(ask):
    assert [each["member"]["host"] for each in ask("fences", "shop", "assess")] == ["db1", "db1", "db2", "db2"]
    assert ask("fences", "shop", "rejoin")[2]["ports"] == [5434]


def test_a_silent_member_is_looked_at_from_every_other_machine_and_by_the_controller(ask):
    found = ask("witnesses", "shop", "failover")
    # The controller's look costs no time of its own
    assert [(each["vantage"], each["controller_too"], each["member"]) for each in found] == [
        ("db2", True, "db1"),
        ("ns0", False, "db1"),
    ]
    assert found[0]["addresses"] == ["198.51.100.11", "203.0.113.131"]
    nobody = ask("witnesses", "shop", "failover", reachable=())
    assert [(each["vantage"], each["controller_too"], each["member"]) for each in nobody] == [
        ("ns0", True, "db1"),
        ("db2", False, "db1"),
        ("ns0", True, "db2"),
    ]
    assert ask("witnesses", "shop", "failover", reachable=("db1", "db2")) == []


@pytest.mark.parametrize("stage", ["switchover", "failback"])
def test_a_planned_move_that_goes_on_beside_a_silent_member_has_them_looked_at_as_well(ask, stage):
    assert ask("witnesses", "shop", stage) == ask("witnesses", "shop", "failover") != []
    assert ask("witnesses", "shop", stage, reachable=("db1", "db2")) == []


@pytest.mark.parametrize("stage", ["assess", "rejoin", "backup", "baseline", "heal"])
def test_where_nobody_is_promoted_nobody_is_looked_at(ask, stage):
    assert ask("witnesses", "shop", stage) == []


@pytest.mark.parametrize("witnesses", [[], ["localhost"]])
def test_where_nobody_else_is_there_the_controller_looks_alone(ask, monkeypatch, witnesses):
    monkeypatch.setitem(SERVICE, "witnesses", witnesses)
    alone = ask("witnesses", "shop", "failover", reachable=())
    assert [(each["vantage"], each["controller_too"], each["member"]) for each in alone] == [
        ("localhost", False, "db1"),
        ("localhost", False, "db2"),
    ]


def test_what_a_fact_cache_kept_of_another_run_is_no_answer(ask):
    began = run.current().started
    assert ask("witnesses", "shop", "failover", reachable=("db1", "db2"), asked={"db2": began + 1}) == []
    kept = ask("witnesses", "shop", "failover", reachable=("db1", "db2"), asked={"db1": began - 1, "db2": began + 1})
    assert [each["member"] for each in kept] == ["db1", "db1"]
    asked = ask("fences", "shop", "failover", reachable=("db1", "db2"), asked={"db1": began - 1})
    assert [(each["member"]["host"], each["reachable"]) for each in asked] == [("db1", False), ("db1", False)]


def test_a_machine_or_a_playbook_without_a_run_asks_nobody(ask):
    assert ask("fences", "db1", "failover") == []
    run.forget()
    assert LookupModule().run(["fences", "shop", "failover"], {}) == [[]]
