# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import pytest

from ansible_collections.continuity.dr.plugins.plugin_utils.plan.rules import plan_findings

DB = "services.payments-db"
OWN_NAME = "allowed: a name of its own"


def test_the_correct_plan_breaks_no_rule(plan):
    assert plan_findings(plan) == []


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        ("sites.dc2.use", "preferred", "sites: 2 sites have use: preferred (dc1, dc2); allowed: exactly one"),
        ("sites.dc1.use", "recovery", "sites: no site has use: preferred; allowed: exactly one"),
        (
            "sites.dc2.fault_domains",
            ["isp-a", "power-a"],
            "sites.dc2.fault_domains: shares all of them with dc1: one fault takes both sites; "
            "allowed: at least one that differs",
        ),
        ("sites.dc2.group", "dc1", 'sites.dc2.group: "dc1" is the group of another site too'),
        (
            f"{DB}.function",
            "payment",
            f'{DB}.function: unknown function "payment" (did you mean "payments"?); allowed: payments, accounts',
        ),
        (f"{DB}.depends_on", ["accounts-bd"], f'{DB}.depends_on[0]: unknown service "accounts-bd" (did you mean'),
        ("functions.accounts.depends_on", ["fraud"], 'functions.accounts.depends_on[0]: unknown function "fraud"'),
        (
            "functions.accounts.depends_on",
            ["payments"],
            "functions.payments.depends_on: goes in a circle: payments -> accounts -> payments; allowed: no circle",
        ),
        (f"{DB}.depends_on", ["payments-db"], "goes in a circle (with what the functions depend on): payments"),
        (
            "services.accounts-db.depends_on",
            ["payments-db"],
            "services.payments-db.depends_on: goes in a circle (with what the functions depend on): "
            "payments-db -> accounts-db -> payments-db",
        ),
        (
            "functions.payments.objectives.mtpd",
            "30m",
            "functions.payments.objectives.rto: 1h is longer than mtpd 30m; allowed: rto at most mtpd",
        ),
        (f"{DB}.objectives", {"rto": "5h"}, f"{DB}.objectives.rto: 5h is longer than mtpd 4h"),
        (f"{DB}.members", ["db1", {"host": "db1"}], f"{DB}.members: db1 is given 2 times; allowed: each machine once"),
        ("services.db1", {"members": ["db3"]}, f"services.db1: is also the name of a machine; {OWN_NAME}"),
        ("services.dc1", {"members": ["db3"]}, f"services.dc1: is also the name of a site; {OWN_NAME}"),
        ("services.second", {"members": ["db3"]}, f"services.second: is also the name of a site's group; {OWN_NAME}"),
        ("services.payments", {}, f"services.payments: is also the name of a function; {OWN_NAME}"),
        ("functions.dc2", {}, f"functions.dc2: is also the name of a site; {OWN_NAME}"),
        ("services.all", {}, "services.all: is a reserved word; allowed: any other name"),
        ("services.localhost", {}, "services.localhost: is a reserved word"),
        ("functions.tier-1", {}, "functions.tier-1: is a reserved word"),
        ("sites.ungrouped", {}, "sites.ungrouped: is a reserved word"),
        (
            f"{DB}.fence.role",
            "continuity.dr.engine_postgresql",
            f'{DB}.fence.role: "continuity.dr.engine_postgresql" is no fence role; '
            "allowed: a role named continuity.dr.fence_...",
        ),
        (f"{DB}.endpoints", [], f"{DB}.canary: writes through an endpoint, and there is none; allowed: endpoints"),
        (f"{DB}.endpoints[0].role", "continuity.dr.fence_systemd", "is no endpoint role"),
        (f"{DB}.engine.custer", "15/x", f'{DB}.engine.custer: unknown key (did you mean "cluster"?)'),
        (f"{DB}.members[1].prot", 1, f'{DB}.members[1].prot: unknown key (did you mean "port"?)'),
        (f"{DB}.endpoints[0].authoritatives", [], f'{DB}.endpoints[0].authoritatives: unknown key (did you mean "a'),
        (f"{DB}.backup.evry", "5m", f'{DB}.backup.evry: unknown key (did you mean "every"?)'),
    ],
)
def test_refused(changed, path, value, told):
    if path.endswith("evry"):
        changed(f"{DB}.backup.every", "(removed)")
    if path.endswith("custer"):
        changed(f"{DB}.engine.cluster", "(removed)")
    if path.endswith("prot"):
        changed(f"{DB}.members[1].port", "(removed)")
    findings = plan_findings(changed(path, value))
    assert [text for text in findings if told in text], findings


def test_a_preferred_site_may_share_some_fault_domains(changed):
    assert plan_findings(changed("sites.dc2.fault_domains", ["isp-a", "power-b"])) == []


def test_other_roles_may_have_keys_that_look_like_slips(changed):
    changed(f"{DB}.engine", {"role": "acme.dr.engine_cache", "ports": [1, 2]})
    assert plan_findings(changed(f"{DB}.members[1]", {"host": "db2", "ports": [3]})) == []


def test_every_error_of_a_broken_plan_at_once(plan):
    plan["services"]["payments-db"].update(function="payment", members=["db1", "db1", 5, {"host": 7}], depends_on="x")
    plan["services"]["broken"] = None
    plan["services"][5] = {}
    plan["functions"] = {"accounts": {"objectives": {"rto": "9h", "mtpd": "1h", "rpo": 0}}, "all": {}, 7: []}
    plan["sites"]["dc1"]["use"] = ["preferred"]
    told = "\n".join(plan_findings(plan))
    for part in ("payment", "db1 is given 2 times", "9h is longer", "functions.all", "no site has use: preferred"):
        assert part in told


@pytest.mark.parametrize("plan", [None, [], "text", {"sites": [], "services": 3, "functions": None}])
def test_what_is_no_plan_raises_nothing(plan):
    assert plan_findings(plan) == []
