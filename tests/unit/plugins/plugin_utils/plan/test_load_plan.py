# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import json

import pytest

from ansible_collections.continuity.dr.plugins.plugin_utils import plan as plans
from ansible_collections.continuity.dr.plugins.plugin_utils.plan.resolve import digest


def test_the_plan_as_everybody_reads_it(plan):
    loaded = plans.load_plan(plan)
    assert loaded.errors == []
    assert loaded.plan == {
        "id": "shop",
        "title": "shop",
        "environment": "drill",
        "owner": None,
        "version": "3",
        "allowances": {"detection_seconds": 60.0, "decision_seconds": 300.0},
        "review": {"every_seconds": 15552000.0, "last": "2026-10-01"},
        "digest": digest(plan),
        "sites": {
            "dc1": {"use": "preferred", "group": "dc1", "fault_domains": ["power-a", "isp-a"]},
            "dc2": {"use": "recovery", "group": "second", "standby": "hot", "fault_domains": ["power-b", "isp-a"]},
        },
        "functions": {
            "payments": {
                "title": "Payment processing",
                "tier": 1,
                "owner": "payments-lead",
                "objectives": {"rto_seconds": 3600.0, "rpo_seconds": 0.0, "mtpd_seconds": 14400.0},
                "depends_on": ["accounts"],
            },
            "accounts": {
                "title": "accounts",
                "tier": 2,
                "owner": None,
                "objectives": {"rto_seconds": 7200.0, "rpo_seconds": 300.0, "mtpd_seconds": None},
                "depends_on": [],
            },
        },
        "waves": [["accounts-db"], ["payments-db"]],
        "errors": [],
    }


def test_a_services_own_hold_off_is_stronger_than_the_plans(plan):
    plan["plan"]["hold_off"] = "1h"
    plan["services"]["accounts-db"]["hold_off"] = "0s"
    services = plans.load_plan(plan).services
    assert [services[name]["hold_off_seconds"] for name in ("payments-db", "accounts-db")] == [3600.0, 0.0]


def test_a_service_as_everybody_reads_it(plan):
    service = plans.load_plan(plan).services["payments-db"]
    assert service == {
        "name": "payments-db",
        "title": "payments-db",
        "function": "payments",
        "tier": 1,
        "objectives": {"rto_seconds": 3600.0, "rpo_seconds": 0.0, "mtpd_seconds": 14400.0},
        "hold_off_seconds": 1800.0,
        "engine": {"role": "continuity.dr.engine_postgresql", "cluster": "15/main", "port": 5432},
        "members": [
            {"host": "db1", "cluster": "15/main", "port": 5432},
            {"host": "db2", "cluster": "15/main", "port": 5433},
        ],
        "endpoints": [
            {
                "role": "continuity.dr.endpoint_rfc2136",
                "name": "payments-db.shop.example.",
                "zone": "shop.example.",
                "type": "A",
                "port": 53,
                "servers": ["198.51.100.153"],
                "ttl_seconds": 5,
                "key": {"name": "continuity", "algorithm": "hmac-sha256", "secret": "{{ vault_tsig_secret }}"},
            }
        ],
        "fences": [{"role": "continuity.dr.fence_systemd", "name": "fence_systemd"}],
        "min_level": 2,
        "witnesses": [],
        "backup": {"role": "continuity.dr.backup_pgbackrest", "every_seconds": 900.0},
        "canary": {
            "database": "shop",
            "table": "canary",
            "role": "canary",
            "password": "{{ vault_canary }}",
            "rate": 20,
            "max_rows": 100000,
        },
        "depends_on": ["accounts-db"],
        "wave": 2,
    }
    assert isinstance(service["endpoints"][0]["ttl_seconds"], int)
    json.dumps(service)


def test_what_a_service_does_not_say_is_there_all_the_same(plan):
    service = plans.load_plan(plan).services["accounts-db"]
    assert service["objectives"] == {"rto_seconds": 7200.0, "rpo_seconds": 60.0, "mtpd_seconds": None}
    assert service["members"] == [{"host": "db1", "cluster": "15/accounts"}, {"host": "db2", "cluster": "15/accounts"}]
    assert (service["endpoints"], service["fences"], service["backup"], service["canary"]) == ([], [], None, None)
    assert (service["depends_on"], service["wave"]) == ([], 1)


def test_times_of_the_canary_are_seconds_and_what_is_not_said_stays_out(plan):
    plan["services"]["payments-db"]["canary"].update(max_duration="2h", stable_for="3s", sslmode="verify-full")
    del plan["services"]["payments-db"]["endpoints"][0]["ttl"]
    service = plans.load_plan(plan).services["payments-db"]
    canary = service["canary"]
    assert (canary["max_seconds"], canary["stable_for_seconds"], canary["sslmode"]) == (7200.0, 3.0, "verify-full")
    assert {"max_duration", "stable_for"}.isdisjoint(canary)
    assert {"ttl", "ttl_seconds", "authoritative"}.isdisjoint(service["endpoints"][0])


def test_the_digest_is_of_what_is_written_not_of_how(plan):
    first = digest(plan)
    assert first.startswith("sha256:")
    assert len(first) == 71
    assert digest(dict(reversed(plan.items()))) == first
    plan["plan"]["version"] = "4"
    assert digest(plan) != first


def test_every_error_of_shape_and_rules_at_once_and_no_service(plan):
    plan["plan"]["environment"] = "test"
    plan["services"]["payments-db"]["function"] = "payment"
    loaded = plans.load_plan(plan, ["services: is given a second time in line 9; allowed: once"])
    assert [error.split(":")[0] for error in loaded.errors] == [
        "services",
        "plan.environment",
        "services.payments-db.function",
    ]
    assert loaded.services == {}
    assert loaded.plan == {"id": "shop", "errors": loaded.errors}


@pytest.mark.parametrize("data", [None, [], "x", {"plan": {"id": ["x"]}}])
def test_what_is_no_plan_is_a_broken_plan(data):
    loaded = plans.load_plan(data)
    assert loaded.errors
    assert loaded.plan["id"] is None


def test_a_missing_library_is_named_with_its_installation(monkeypatch, plan):
    monkeypatch.setattr(
        plans, "MISSING_LIBRARY", "the Python library jsonschema is missing (x): pip install jsonschema"
    )
    assert plans.load_plan(plan).errors == ["the Python library jsonschema is missing (x): pip install jsonschema"]
