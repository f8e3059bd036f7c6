# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A plan of 1,000 functions and 5,000 services is read, checked, ordered and turned into inventory in 3 s. Here: no
part of that grows by the square. Ten times the plan may take 15 times as long; checking each service against every
other would take 100 times."""

from __future__ import annotations

import gc
import time

import pytest
from ansible.inventory.data import InventoryData
from ansible.parsing.dataloader import DataLoader

from ansible_collections.continuity.dr.plugins.inventory.plan import InventoryModule
from ansible_collections.continuity.dr.plugins.plugin_utils.plan import load_plan
from ansible_collections.continuity.dr.plugins.plugin_utils.plan.groups import member_sites, service_groups
from ansible_collections.continuity.dr.plugins.plugin_utils.plan.read import read_plan
from ansible_collections.continuity.dr.plugins.plugin_utils.plan.whole import Inventory, whole_run

SMALL, TIMES, MOST = 150, 10, 15
HEAD = """\
plugin: continuity.dr.plan
plan: {id: large, environment: drill}
sites: {dc1: {use: preferred}, dc2: {use: recovery}}
functions:
"""
FUNCTION = """\
  f%(n)d: {title: Function %(n)d, tier: %(tier)d, objectives: {rto: 1h, rpo: 5m, mtpd: 4h}, depends_on: [%(on)s]}
"""
SERVICE = """\
  s%(n)d:
    function: f%(function)d
    engine: {role: continuity.dr.engine_postgresql, cluster: 15/main}
    members: [a%(n)d, {host: b%(n)d, port: 5433}]
    depends_on: [%(on)s]
    endpoints:
      - role: continuity.dr.endpoint_rfc2136
        name: s%(n)d.shop.example.
        zone: shop.example.
        servers: [198.51.100.153]
        ttl: 5s
        key: {name: continuity, secret: "{{ vault_tsig_secret }}"}
    fence: {role: continuity.dr.fence_systemd}
"""


def large_plan(services):
    """A fifth as many functions, each depending on another; every other service depends on the one before."""
    functions = services // 5
    text = [HEAD]
    for n in range(functions):
        text.append(FUNCTION % {"n": n, "tier": n % 9 + 1, "on": f"f{n // 2}" if n else ""})
    text.append("services:\n")
    for n in range(services):
        text.append(SERVICE % {"n": n, "function": n % functions, "on": f"s{n - 1}" if n % 2 else ""})
    return "".join(text)


def machines(services):
    return {"dc1": [f"a{n}" for n in range(services)], "dc2": [f"b{n}" for n in range(services)]}


def seconds(work, *given):
    """Processor time of the better of two: a busy machine is no error, and one collection of garbage neither."""
    best = float("inf")
    for _again in range(2):
        gc.collect()
        started = time.process_time()
        work(*given)
        best = min(best, time.process_time() - started)
    return best


def check_right(services):
    loaded = load_plan(*read_plan(large_plan(services)))
    assert loaded.errors == [] and len(loaded.services) == services


def check_wrong(services):
    """Every service names a function that nobody knows and a key that nobody knows, every other one such a service."""
    wrong = large_plan(services).replace("function: f", "function: g").replace("ttl:", "tll:").replace("[s", "[q")
    assert len(load_plan(*read_plan(wrong)).errors) == 2.5 * services


def inventory_of(services):
    loaded = load_plan(*read_plan(large_plan(services)))
    groups = machines(services)
    groups.update(service_groups(loaded.plan, loaded.services, member_sites(loaded.plan["sites"], groups)))
    groups["all"] = [*groups["dc1"], *groups["dc2"], *loaded.services]
    return Inventory(groups, loaded.plan, [], lambda name: loaded.services[name], lambda host: f"2001:db8::{host[1:]}")


def choose(inventory):
    for scope in ("all", "dc1", "tier-1", "f7", "s9", "nobody"):
        whole_run("failover", {}, {"scope": scope}, inventory, 0.0)


def grows_evenly(work, make=lambda services: services, services=SMALL):
    small, large = make(services), make(TIMES * services)
    work(small)  # what is loaded once is loaded now
    times = seconds(work, small), seconds(work, large)
    assert times[1] < MOST * times[0] + 0.05, (
        f"{services} services: {times[0]:.3f} s, {TIMES} times as many: {times[1]:.3f} s"
    )


@pytest.mark.parametrize("work", [check_right, check_wrong])
def test_reading_and_checking(work):
    grows_evenly(work)


def test_the_gate_of_a_verb():
    grows_evenly(choose, inventory_of, 2 * SMALL)


def test_the_gate_of_a_verb_when_a_site_has_no_machines():
    def lost(services):
        inventory = inventory_of(services)
        groups = {
            **inventory.groups,
            "dc1": [],
            "all": [*inventory.groups["dc2"], *inventory.groups["continuity_services"]],
        }
        return Inventory(groups, inventory.plan, [], inventory.service_of, str)

    grows_evenly(lambda inventory: whole_run("failover", {}, {"scope": "all"}, inventory, 0.0), lost, 2 * SMALL)


@pytest.fixture
def parsed(tmp_path):
    """The inventory that Ansible makes of a plan file, and its machines."""

    def parse(services):
        path = tmp_path / f"{services}.yml"
        if not path.exists():
            path.write_text(large_plan(services))
        inventory = InventoryData()
        for group, hosts in machines(services).items():
            inventory.add_group(group)
            for host in hosts:
                inventory.add_host(host, group)
        InventoryModule().parse(inventory, DataLoader(), str(path))
        return inventory

    return parse


def test_inventory(parsed):
    grows_evenly(parsed)


def test_no_variable_is_carried_by_every_host(parsed):
    """One that holds the plan would: 5,000 services were listed in two gigabytes."""
    inventory = parsed(50)
    assert [name for name, group in inventory.groups.items() if group.vars] == []
    assert [name for name, host in inventory.hosts.items() if "continuity_plan" in host.vars] == ["s0"]
