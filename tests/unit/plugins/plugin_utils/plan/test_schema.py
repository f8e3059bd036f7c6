# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import json

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.continuity.dr.plugins.plugin_utils.core.durations import DurationError, parse_duration
from ansible_collections.continuity.dr.plugins.plugin_utils.plan.schema import (
    SCHEMA_FILE,
    known_keys,
    schema_findings,
)

DB = "services.payments-db"
DURATION = "a number and a unit without a space, for example 0s, 90s, 15m, 4h, 7d"
NAME = "a name of 1 to 63 lower-case letters, digits and hyphens that begins with a letter and does not end"
TEXT = "one line of text that is not empty (put numbers in quotes)"


def test_the_correct_plan_has_no_errors(plan):
    assert schema_findings(plan) == []


def test_the_shipped_file_is_a_schema_of_its_draft(plan):
    schema = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    assert schema["$schema"].endswith("2020-12/schema")
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(plan)  # with its references, as an editor uses it


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        (
            "plan.environment",
            "dril",
            'plan.environment: "dril" is not possible (did you mean "drill"?); allowed: drill, production',
        ),
        ("plan.environment", "(removed)", "plan.environment: is missing; allowed: drill, production"),
        ("plan.id", "Shop", f'plan.id: "Shop" is not possible; allowed: {NAME}'),
        ("plan.id", "shop\n", f'plan.id: "shop\\n" is not possible; allowed: {NAME}'),
        ("plan.version", 3, f'plan.version: "3" is not text; allowed: {TEXT}'),
        ("plan.allowances.detection", 60, 'plan.allowances.detection: "60": give a unit, for example 60s, 5m'),
        (
            "plan.review.last",
            "1.10.2026",
            'plan.review.last: "1.10.2026" is not possible; allowed: a date such as 2026-10-01',
        ),
        (
            "plan.people",
            [],
            "plan.people: unknown key; allowed: id, title, environment, owner, version, allowances, hold_off, review",
        ),
        ("plugin", "other", 'plugin: "other" is not possible; allowed: continuity.dr.plan'),
        ("site", {}, 'site: unknown key (did you mean "sites"?); allowed: plugin, plan, sites, functions, services'),
        ("sites", {}, "sites: is empty; allowed: a mapping"),
        ("sites.dc1", None, "sites.dc1: nothing is not a mapping; allowed: a mapping with use"),
        ("sites.dc1.use", "primary", 'sites.dc1.use: "primary" is not possible'),
        ("sites.dc_3", {"use": "recovery"}, f"sites.dc_3: is no name; allowed: {NAME}"),
        ("sites.dc1.group", "dc-1", 'sites.dc1.group: "dc-1" is not possible; allowed: the name of an inventory group'),
        ("functions", "payments", 'functions: "payments" is not a mapping; allowed: a mapping'),
        (
            "functions.payments.tier",
            "1",
            'functions.payments.tier: "1" is not a whole number; allowed: a whole number from 1 (most urgent) to 9',
        ),
        ("functions.payments.tier", 0, 'functions.payments.tier: "0" is not possible; allowed: a whole number from 1'),
        ("functions.payments.tier", True, 'functions.payments.tier: "true" is not a whole number'),
        (
            "functions.payments.objectives.rpo",
            "30",
            'functions.payments.objectives.rpo: "30": give a unit, for example 30s, 5m',
        ),
        (
            "functions.payments.objectives.rpo",
            "-5m",
            f'functions.payments.objectives.rpo: "-5m": must not be negative; allowed: {DURATION}',
        ),
        (
            "functions.payments.objectives.rto",
            "30 minutes",
            f'functions.payments.objectives.rto: "30 minutes": write it as 30m; allowed: {DURATION}',
        ),
        (
            "functions.payments.objectives.rto",
            float("nan"),
            f'functions.payments.objectives.rto: "nan": is not a duration; allowed: {DURATION}',
        ),
        (
            "functions.payments.objectives.rto",
            "(removed)",
            f"functions.payments.objectives.rto: is missing; allowed: {DURATION}",
        ),
        (
            "functions.payments.objectives",
            "(removed)",
            "functions.payments.objectives: is missing; allowed: a mapping with rto, rpo",
        ),
        (
            "functions.payments.depends_on",
            "accounts",
            'functions.payments.depends_on: "accounts" is not a list; allowed: a list of names',
        ),
        (
            "functions.payments.depends_on",
            ["accounts", "accounts"],
            'functions.payments.depends_on: "accounts" is given twice',
        ),
        (f"{DB}.endpoint", [], f'{DB}.endpoint: unknown key (did you mean "endpoints"?); allowed: title, function,'),
        (f"{DB}.function", "(removed)", f"{DB}.function: is missing; allowed: {NAME}"),
        (f"{DB}.engine", "postgresql", f'{DB}.engine: "postgresql" is not a mapping; allowed: a mapping with role'),
        (f"{DB}.engine.role", "(removed)", f"{DB}.engine.role: is missing; allowed: a role's full name, for example"),
        (f"{DB}.engine.role", "../role", f'{DB}.engine.role: "../role" is not possible'),
        (f"{DB}.engine.cluster", 15, f'{DB}.engine.cluster: "15" is not text; allowed: {TEXT}'),
        (
            f"{DB}.engine.data_directory",
            "data",
            f'{DB}.engine.data_directory: "data" is not possible; allowed: an absolute path',
        ),
        (f"{DB}.engine.bin_directory", "bin", f'{DB}.engine.bin_directory: "bin" is not possible'),
        (f"{DB}.engine.replication", "user", f'{DB}.engine.replication: "user" is not a mapping'),
        (f"{DB}.members", [], f"{DB}.members: is empty; allowed: a list of machines"),
        (f"{DB}.members[0]", 5, f'{DB}.members[0]: "5" is not text or a mapping; allowed: a machine\'s name'),
        (f"{DB}.members[0]", "db 1", f'{DB}.members[0]: "db 1" is not possible; allowed: a machine\'s name'),
        (
            f"{DB}.members[1].port",
            0,
            f'{DB}.members[1].port: "0" is not possible; allowed: a port number from 1 to 65535',
        ),
        (
            f"{DB}.members[1].host",
            "(removed)",
            f"{DB}.members[1].host: is missing; allowed: the name of a machine in the inventory",
        ),
        (f"{DB}.endpoints[0].type", "TXT", f'{DB}.endpoints[0].type: "TXT" is not possible; allowed: A, AAAA, CNAME'),
        (
            f"{DB}.endpoints[0].zone",
            "(removed)",
            f"{DB}.endpoints[0].zone: is missing; allowed: the DNS zone that holds the name",
        ),
        (f"{DB}.endpoints[0].ttl", 5, f'{DB}.endpoints[0].ttl: "5": give a unit, for example 5s, 5m'),
        (
            f"{DB}.endpoints[0].key",
            "(removed)",
            f"{DB}.endpoints[0].key: is missing; allowed: a mapping with name, algorithm and secret",
        ),
        (
            f"{DB}.endpoints[0].key.secret",
            "(removed)",
            f"{DB}.endpoints[0].key.secret: is missing; allowed: a template or",
        ),
        (f"{DB}.endpoints[0].key.algorithm", "hmac-md5", "allowed: hmac-sha224, hmac-sha256, hmac-sha384, hmac-sha512"),
        (f"{DB}.endpoints[0].servers", "198.51.100.153", f'{DB}.endpoints[0].servers: "198.51.100.153" is not a list'),
        (f"{DB}.fence", {}, f"{DB}.fence.role: is missing"),
        (f"{DB}.backup.every", "daily", f'{DB}.backup.every: "daily": is not a duration'),
        *[
            (f"{DB}.canary.{key}", "(removed)", f"{DB}.canary.{key}: is missing")
            for key in ("database", "table", "role", "rate")
        ],
        (
            f"{DB}.canary.rate",
            0.05,  # the client takes 0.1 and more
            f'{DB}.canary.rate: "0.05" is not possible; allowed: a number of writes per second, from 0.1',
        ),
        (f"{DB}.canary.sslmode", "verify", "allowed: disable, allow, prefer, require, verify-ca, verify-full"),
        (f"{DB}.canary.stable_for", 2, f'{DB}.canary.stable_for: "2": give a unit'),
        (f"{DB}.canary.table", "x; drop table y", "allowed: a table's name, with its schema or without"),
        (f"{DB}.canary.rat", 1, f'{DB}.canary.rat: unknown key (did you mean "rate"?)'),
        (f"{DB}.canary.max_rows", 1.5, f'{DB}.canary.max_rows: "1.5" is not a whole number'),
    ],
)
def test_refused(changed, path, value, told):
    findings = schema_findings(changed(path, value))
    assert [text for text in findings if told in text], findings


@pytest.mark.parametrize("path", ["endpoints[0].key.secret", "canary.password", "endpoints[0].key"])
def test_a_wrong_secret_is_never_shown(changed, path):
    findings = schema_findings(changed(f"{DB}.{path}", 918273))
    assert findings
    assert "918273" not in str(findings)
    assert "the value (not shown)" in str(findings)
    if path.endswith("key"):
        assert "918273" not in str(schema_findings(changed(f"{DB}.{path}", "918273")))


@pytest.mark.parametrize("plan", [None, [], "text", 5, {}])
def test_what_is_no_plan_at_all_is_refused(plan):
    assert schema_findings(plan)


def test_every_error_at_once_in_the_order_of_the_plan(plan):
    plan["functions"]["payments"]["tier"] = "one"
    plan["functions"]["accounts"]["tier"] = "two"
    plan["services"]["accounts-db"]["member"] = plan["services"]["accounts-db"].pop("members")
    plan["plan"]["environment"] = "test"
    assert [text.split(":")[0] for text in schema_findings(plan)] == [
        "plan.environment",
        "functions.payments.tier",
        "functions.accounts.tier",
        "services.accounts-db.members",
        "services.accounts-db.member",
    ]


def test_roles_may_have_keys_of_their_own(plan):
    service = plan["services"]["payments-db"]
    service["engine"] = {"role": "acme.dr.engine_cache", "shards": 3}
    service["members"][1]["rack"] = "r7"
    service["endpoints"] = [{"role": "acme.dr.endpoint_vip", "name": "vip-7", "interface": "eth0"}]
    service["fence"]["level"] = 2
    service["backup"]["repository"] = "/backup"
    assert schema_findings(plan) == []


def test_a_key_may_be_a_template_that_gives_the_whole_of_it(changed):
    assert schema_findings(changed(f"{DB}.endpoints[0].key", "{{ vault_key }}")) == []


@given(st.text() | st.from_regex(r"[0-9]{1,3}(\.[0-9])?[smhdx]\n?", fullmatch=True))
def test_schema_and_parser_agree_on_durations(text):
    plan = {"plan": {"id": "x", "environment": "drill", "allowances": {"detection": text}}}
    told = [finding for finding in schema_findings(plan) if "detection" in finding]
    try:
        parse_duration(text)
    except DurationError:
        assert told
    else:
        assert not told


def test_known_keys():
    assert "servers" in known_keys("endpoint")
