# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import dataclasses

import pytest

from ansible_collections.continuity.dr.plugins.plugin_utils.plan import load_plan
from ansible_collections.continuity.dr.plugins.plugin_utils.plan.groups import member_sites, service_groups
from ansible_collections.continuity.dr.plugins.plugin_utils.plan.machines import without_secrets
from ansible_collections.continuity.dr.plugins.plugin_utils.plan.whole import Inventory, whole_run

COMMAND_LINE = {"subset": None, "tags": ("all",), "skip_tags": (), "start_at_task": None, "step": False}
ADDRESSES = {"db1": "198.51.100.11", "db2": "203.0.113.11"}


@pytest.fixture
def inventory(plan):
    loaded = load_plan(plan)
    groups = {"all": ["db1", "db2", *loaded.services], "dc1": ["db1"], "second": ["db2"]}
    for member in loaded.services["accounts-db"]["members"]:
        member["port"] = 5434
    groups.update(service_groups(loaded.plan, loaded.services, member_sites(loaded.plan["sites"], groups)))
    return Inventory(
        groups=groups,
        plan=loaded.plan,
        sources=["hosts.yml", "plan.yml"],
        service_of=lambda name: without_secrets(loaded.services[name]),
        address_of=ADDRESSES.__getitem__,
    )


def begun(inventory, command_line=(), **extra):
    return whole_run("failover", {**COMMAND_LINE, **dict(command_line)}, extra, inventory, 1795317300.0)


@pytest.mark.parametrize("environment", ["drill", "production"])
def test_a_fault_is_for_a_drill_environment_only(inventory, tmp_path, environment):
    fault = tmp_path / "fault.yml"
    fault.write_text("[]", encoding="utf-8")
    here = dataclasses.replace(inventory, plan={**inventory.plan, "environment": environment})
    whole, errors = whole_run("drill", COMMAND_LINE, {"scope": "all", "fault": str(fault)}, here, 1795317300.0)
    if environment == "drill":
        assert errors == [] and whole
    else:
        assert whole is None
        assert errors == [
            "plan.environment: the plan's environment is production, and a fault is injected in a drill environment "
            "only; allowed: drill; or exercise a planned move, without -e fault=..."
        ]
    planned, errors = whole_run("drill", COMMAND_LINE, {"scope": "all"}, here, 1795317300.0)
    assert planned and errors == [], "a planned move may be exercised in production"


@pytest.mark.parametrize("fault", ["fault.yml", "/no/such/fault.yml", "/", ""])
def test_a_fault_is_a_file_that_is_there(inventory, fault, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # a relative path is one even where it is a file
    (tmp_path / "fault.yml").write_text("[]", encoding="utf-8")
    here = dataclasses.replace(inventory, plan={**inventory.plan, "environment": "drill"})
    whole, errors = whole_run("drill", COMMAND_LINE, {"scope": "all", "fault": fault}, here, 1795317300.0)
    assert whole is None
    assert errors == [f'fault: "{fault}" is no such file; allowed: the absolute path of a task file']


def test_a_whole_run(inventory):
    whole, errors = begun(inventory, scope="all", source_site="dc1", target_site="dc2")
    assert errors == []
    assert list(whole.services) == ["accounts-db", "payments-db"]  # wave order, not the order of the plan
    assert whole.members == ["db1", "db2"]
    assert whole.services["payments-db"]["members"][1] == {
        "host": "db2",
        "cluster": "15/main",
        "port": 5433,
        "site": "dc2",
        "address": "203.0.113.11",
        "replication_address": "203.0.113.11",
    }
    assert whole.inputs["target_site"] == "dc2"


@pytest.mark.parametrize(
    ("option", "told"),
    [
        (
            {"subset": "db1"},
            "--limit db1: would cut a part of the run away; allowed: choose services with -e scope=...",
        ),
        ({"tags": ("all", "fence")}, "--tags fence: would cut a part of the run away"),
        ({"tags": ["never", "x"]}, "--tags never,x: would"),
        ({"skip_tags": ("fence",)}, "--skip-tags fence: would"),
        ({"start_at_task": "Promote"}, "--start-at-task Promote: would"),
        ({"step": True}, "--step: would"),
    ],
)
def test_a_part_of_a_run_is_refused(inventory, option, told):
    whole, errors = begun(inventory, option, scope="all")
    assert whole is None
    assert errors[0].startswith(told)


def test_no_plan_is_refused_with_what_was_given(inventory):
    whole, errors = begun(dataclasses.replace(inventory, plan=None), {"step": True}, scope="all")
    assert whole is None
    assert errors[0].startswith("--step: ")
    assert errors[1].startswith("no plan was loaded (inventory sources: hosts.yml, plan.yml). Pass it with -i plan.yml")


def test_variables_of_the_plan_cannot_be_given_by_hand(inventory):
    whole, errors = begun(inventory, scope="all", continuity_service={})
    assert whole is None
    assert len(errors) == 1
    assert errors[0].startswith('continuity_service: unknown setting "continuity_service"')


def test_a_wrong_plan_is_refused_with_its_errors(inventory):
    broken = dataclasses.replace(inventory, plan={"id": None, "errors": ["plan.id: is missing", "x"]})
    assert begun(broken, scope="all") == (None, ["plan.id: is missing", "x"])


def test_inputs_scope_and_machines_are_refused_at_once(inventory):
    inventory.groups["second"].remove("db2")
    whole, errors = begun(inventory, {"subset": "x"}, scope="payments,mail", target_site="dc9")
    assert whole is None
    assert [text.split(":")[0] for text in errors] == [
        "--limit x",
        "target_site",
        "scope",
        "services.payments-db.members[1]",
    ]


def test_machines_of_services_out_of_scope_are_nobodys_business(inventory):
    inventory.groups["all"].append("db3")
    assert begun(inventory, scope="accounts")[1] == []


def test_addresses_are_checked_once_the_machines_are_right(inventory):
    same = dataclasses.replace(inventory, address_of=lambda host: "db.internal")
    errors = begun(same, scope="payments-db")[1]
    assert any("cannot stand in the record" in text for text in errors)
