# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A plan whose values are wrong: durations, numbers, names, kinds of value, what refers to nothing."""

from __future__ import annotations

import pytest

DURATION = "allowed: a number and a unit without a space, for example 0s, 90s, 15m, 4h, 7d"
NAME = "allowed: a name of 1 to 63 lower-case letters, digits and hyphens"
TEXT = "allowed: one line of text that is not empty"
TIER = "allowed: a whole number from 1 (most urgent) to 9"
PORT = "allowed: a port number from 1 to 65535"
RTO = "functions.payments.objectives.rto"
DB = "services.payments-db"

DURATIONS = {
    "30": ['"30"', "give a unit, for example 30s, 5m"],
    '"30 minutes"': ['"30 minutes"', "write it as 30m", DURATION],
    "30 m": ['"30 m"', "write it as 30m"],
    "5M": ['"5M"', "write it as 5m"],
    "-5m": ['"-5m"', "must not be negative", DURATION],
    "+5m": ['"+5m"', DURATION],
    "1h30m": ['"1h30m"', DURATION],
    "PT1H": ['"PT1H"', DURATION],
    "1e3s": ['"1e3s"', DURATION],
    "10ms": ['"10ms"', DURATION],
    "1w": ['"1w"', DURATION],
    ".5h": ['".5h"', DURATION],
    "1_000s": ['"1_000s"', DURATION],
    ".inf": ['"inf"', DURATION],
    ".nan": ['"nan"', DURATION],
    "true": ['"true"', DURATION],
    "~": ["nothing", DURATION],
    "": ["nothing", DURATION],
    "[1h]": ["a list", DURATION],
    "{h: 1}": ["a mapping", DURATION],
    "999999d": ['"999999d"', "is longer than a hundred years", DURATION],
    "٣s": ['"٣s"', DURATION],
    '"{{ rto }}"': ['"{{ rto }}"', DURATION],
}


@pytest.mark.parametrize("typed", DURATIONS)
def test_durations(errors_of, assert_told, typed):
    assert_told(errors_of("rto: 1h,", f"rto: {typed},"), RTO, *DURATIONS[typed])


KINDS = [
    ("tier: 1,", "tier: 1.0,", "functions.payments.tier", ['"1.0" is not a whole number', TIER]),
    ("tier: 1,", 'tier: "1",', "functions.payments.tier", ['"1" is not a whole number', TIER]),
    ("tier: 1,", "tier: 10,", "functions.payments.tier", ['"10" is not possible', TIER]),
    ("tier: 1,", "tier: -1,", "functions.payments.tier", ['"-1" is not possible', TIER]),
    ("tier: 1,", "tier: true,", "functions.payments.tier", ['"true" is not a whole number', TIER]),
    ("tier: 1,", "tier: ,", "functions.payments.tier", ["nothing is not a whole number", TIER]),
    ("port: 5432", "port: 65536", f"{DB}.engine.port", ['"65536" is not possible', PORT]),
    ("port: 5432", "port: 0", f"{DB}.engine.port", ['"0" is not possible', PORT]),
    ("port: 5432", "port: 5432.0", f"{DB}.engine.port", ['"5432.0" is not a whole number', PORT]),
    ("port: 5433", "port: 5433/tcp", f"{DB}.members[1].port", ['"5433/tcp" is not a whole number', PORT]),
    ("rate: 20", "rate: -1", f"{DB}.canary.rate", ['"-1" is not possible', "allowed: a number of writes per second"]),
    (
        "rate: 20",
        "rate: .nan",
        f"{DB}.canary.rate",
        ['"nan" is not a number', "allowed: a number of writes per second"],
    ),
    ("rate: 20", "rate: true", f"{DB}.canary.rate", ['"true" is not a number', "allowed: a number of writes"]),
    ("Payment processing", '" "', "functions.payments.title", ['" " is not possible', TEXT]),
    ("Payment processing", '"a\\nb"', "functions.payments.title", ['"a\\nb" is not possible', TEXT]),
    ("Payment processing", '"a\\0b"', "functions.payments.title", ['"a\\x00b" is not possible', TEXT]),
    ("Payment processing", "3", "functions.payments.title", ['"3" is not text', "(put numbers in quotes)"]),
    ("environment: drill", "environment: dril", "plan.environment", ['"dril"', '"drill"?', "allowed: drill, prod"]),
    ("environment: drill", "environment: Drill", "plan.environment", ['"Drill"', '(did you mean "drill"?)']),
    ("environment: drill", "environmnt: drill", "plan.environmnt", ['unknown key (did you mean "environment"?)']),
    ("environment: drill", "environmnt: drill", "plan.environment", ["is missing; allowed: drill, production"]),
    ("sites:", "site:", "site", ['unknown key (did you mean "sites"?)', "allowed: plugin, plan, sites"]),
    ("plugin:", "5: x\nplugin:", "5", ["unknown key", "allowed: plugin, plan"]),
    ("[accounts]", "accounts", "functions.payments.depends_on", ['"accounts" is not a list', "allowed: a list of"]),
    ("[accounts]", "{accounts: }", "functions.payments.depends_on", ["a mapping is not a list"]),
    ("[accounts]", "[~]", "functions.payments.depends_on[0]", ["nothing is not text", NAME]),
    ("[db1, db2]", "[]", "services.accounts-db.members", ["is empty", "allowed: a list of machines"]),
    ("[db1, db2]", "", "services.accounts-db.members", ["nothing is not a list", "allowed: a list of machines"]),
    ("[db1, db2]", "db1, db2", "services.accounts-db.members", ['"db1, db2" is not a list']),
    ("[db1, db2]", "[db1, [db2]]", "services.accounts-db.members[1]", ["a list is not text or a mapping"]),
    ("[db1, db2]", "[db1, {hots: db2}]", "services.accounts-db.members[1].hots", ['(did you mean "host"?)']),
    ("[db1, db2]", "[db1, db1]", "services.accounts-db.members", ["db1 is given 2 times", "allowed: each machine"]),
    ("[db1, db2]", '["db1;reboot"]', "services.accounts-db.members[0]", ['"db1;reboot"', "allowed: a machine's name"]),
    ("{tier: 2, ", "{tier: 2}\n  mail: {", "functions.accounts.objectives", ["is missing", "allowed: a mapping with"]),
    ("rto: 2h", "rto: 1h, mtpd: 30m", "functions.accounts.objectives.rto", ["1h is longer than mtpd 30m", "allowed: "]),
    ("use: recovery", "use: preferred", "sites", ["2 sites have use: preferred (dc1, dc2)", "allowed: exactly one"]),
    ("function: accounts", "function: acounts", "services.accounts-db.function", ['"acounts"', '"accounts"?', "paym"]),
    ("[accounts]", "[acounts]", "functions.payments.depends_on[0]", ['"acounts" (did you mean "accounts"?)']),
    ("[accounts]", "[payments]", "functions.payments.depends_on", ["payments -> payments", "allowed: no circle"]),
    ("{tier: 2,", "{tier: 2, depends_on: [payments],", "functions.payments.depends_on", ["-> accounts -> payments"]),
]


@pytest.mark.parametrize(
    ("old", "new", "field", "says"), KINDS, ids=lambda value: value if isinstance(value, str) else ""
)
def test_kinds_of_value(errors_of, assert_told, old, new, field, says):
    assert_told(errors_of(old, new), field, *says)


@pytest.mark.parametrize("section", ["plan", "sites", "functions", "services"])
@pytest.mark.parametrize(("typed", "shown"), [("~", "nothing"), ("[a]", "a list"), ("hello", '"hello"'), ("5", '"5"')])
def test_sections_that_are_no_mappings(errors_of, assert_told, plan_text, section, typed, shown):
    above, _colon, below = plan_text.partition(f"\n{section}:")
    rest = below.partition("\n")[2].splitlines(keepends=True)
    kept = next((index for index, line in enumerate(rest) if not line.startswith(" ")), len(rest))
    errors = errors_of(text=f"{above}\n{section}: {typed}\n{''.join(rest[kept:])}")
    assert_told(errors, section, f"{shown} is not a mapping", "allowed: a mapping")


CYRILLIC = '("р" is U+0440 CYRILLIC SMALL LETTER ER)'
NAMES = {
    "payments_db": ("payments_db", [NAME]),
    "Payments-DB": ("Payments-DB", [NAME]),
    "payments.db": ("payments.db", [NAME]),
    "payments-db.": ("payments-db.", [NAME]),
    "'*'": ("*", [NAME]),
    "-a": ("-a", [NAME]),
    "a-": ("a-", [NAME]),
    "1a": ("1a", [NAME]),
    "123": ("123", [NAME]),
    "a" * 64: ("a" * 64, [NAME]),
    "../x": ("../x", [NAME]),
    "рayments-db": ("рayments-db", [CYRILLIC, NAME]),
    "payments\u200b-db": ("payments\\u200b-db", ["is U+200B ZERO WIDTH SPACE", NAME]),
    "payments\u00a0db": ("payments\\xa0db", ["is U+00A0 NO-BREAK SPACE", NAME]),
    "payments\u202edb": ("payments\\u202edb", ["is U+202E RIGHT-TO-LEFT OVERRIDE", NAME]),
    "all": ("all", ["is a reserved word", "allowed: any other name"]),
    "tier-1": ("tier-1", ["is a reserved word"]),
    "db1": ("db1", ["is also the name of a machine", "allowed: a name of its own"]),
    "dc1": ("dc1", ["is also the name of a site"]),
    "accounts": ("accounts", ["is also the name of a function"]),
    "credentials": ("credentials", ["is a word for secrets", "allowed: any other name"]),
}


@pytest.mark.parametrize("typed", NAMES)
def test_names(errors_of, assert_told, typed):
    shown, says = NAMES[typed]
    assert_told(errors_of("  accounts-db:", f"  {typed}:"), f"services.{shown}", *says)


def test_a_name_that_only_looks_like_the_right_one(errors_of, assert_told):
    says = ('unknown function "аccounts" ("а" is U+0430 CYRILLIC SMALL LETTER A) (did you mean "accounts"?)',)
    assert_told(errors_of("function: accounts", "function: аccounts"), "services.accounts-db.function", *says)


def test_all_errors_at_once(errors_of, plan_text):
    text = plan_text
    for old, new in (
        ("tier: 1,", "tier: 012,"),
        ("rto: 2h", "rto: 2"),
        ("[db1, db2]", "[]"),
        ("drill", "dril"),
        ("db.shop.example.", "db.shop.example"),
        ("function: accounts", "function: x"),
        ("members: [db1, {host", "memberz: [db1, {host"),
    ):
        assert old in text
        text = text.replace(old, new, 1)
    fields = [error.split(":")[0] for error in errors_of(text=text)]
    assert fields == [
        "functions.payments.tier",
        "plan.environment",
        "functions.payments.tier",
        "functions.accounts.objectives.rto",
        "services.payments-db.members",
        "services.payments-db.memberz",
        "services.accounts-db.members",
        "services.accounts-db.function",
        "services.payments-db.endpoints[0].name",
    ]
