# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A plan whose text is wrong: encodings, tabs, aliases, words that YAML reads as something else."""

from __future__ import annotations

import time

import pytest

from ansible_collections.continuity.dr.plugins.plugin_utils.plan.read import DEEPEST, PlanReadError, read_plan

FILE = "plan.yml"
LAUGHS = "\n".join(f"    x{n}: &x{n} [{', '.join([f'*x{n - 1}'] * 10)}]" for n in range(1, 12))

UNREADABLE = {
    "tab": ("  dc1:", "\tdc1:", ["line 6, column 1", "allowed: spaces before a key, no tab"]),
    "unclosed bracket": ("[db1, db2]", "[db1, db2", ["is not readable YAML: line "]),
    "unclosed quote": ('"{{ vault_canary }}"', '"{{ vault_canary }}', ["is not readable YAML: line "]),
    "template without quotes": (
        '"{{ vault_canary }}"',
        "{{ vault_canary }}",
        ['allowed: quotes around a template, "{{'],
    ),
    "wildcard without quotes": (
        "name: payments-db.s",
        "name: *.s",
        ['allowed: quotes around text that begins with "*"'],
    ),
    "@ without quotes": ("Payment processing", "@pay", ['allowed: quotes around text that begins with "@"']),
    "colon in text": ("id: shop", "id: shop: one", ['allowed: quotes around text that holds ": "']),
    "wrong indent": ("  dc2: {", "   dc2: {", ["line 7, column 4"]),
    "unknown alias": ("{use: preferred}", "*east", ['"*east" refers to nothing before it']),
    "alias of itself": ("{use: preferred}", "&x {use: preferred, y: *x}", ['"*x" stands inside of what it refers to']),
    "merge of text": ("{use: preferred}", "{<<: text, use: preferred}", ['"<<" takes a mapping or a list of them']),
    "a list as key": ("  dc1:", "  [dc1]:", ["a key must be a word, not a collection"]),
    "a second document": ("services:", "---\nservices:", ["a second document begins here; allowed: one"]),
    "unsafe": ("id: shop", "id: !unsafe shop", ['the tag "!unsafe" has no meaning here; allowed: !vault, or quotes']),
    "python": ("id: shop", "id: !!python/object/apply:os.getcwd []", ["has no meaning here"]),
    "set": ("[accounts]", "!!set {accounts}", ['the tag "tag:yaml.org,2002:set" has no meaning here']),
    "null byte": ("id: shop", "id: sh\0op", ["holds the control character U+0000 in line 3; allowed: none"]),
    "bell": ("id: shop", "id: sh\aop", ["holds the control character U+0007 in line 3; allowed: none"]),
    "many brackets": ("15/main", "[" * 200 + "]" * 200, [f"is nested deeper than {DEEPEST} levels"]),
    "aliases for billions": (
        "    fence:",
        f"    x0: &x0 [a, a, a, a, a, a, a, a, a, a]\n{LAUGHS}\n    fence:",
        ["holds more than 5000000 values, those of aliases included"],
    ),
}


@pytest.mark.parametrize(("old", "new", "says"), UNREADABLE.values(), ids=UNREADABLE)
def test_text_that_cannot_be_read(errors_of, assert_told, old, new, says):
    errors = errors_of(old, new)
    assert len(errors) == 1
    assert_told(errors, FILE, *says)


MISREAD = {
    "octal port": ("port: 5432", "port: 05432", "services.payments-db.engine.port", '"05432"', "without leading zeros"),
    "port as time": ("port: 5432", "port: 10:30", "services.payments-db.engine.port", '"10:30"', "decimal digits"),
    "port in parts": ("port: 5432", "port: 5_432", "services.payments-db.engine.port", '"5_432"', "decimal digits"),
    "port in hex": ("port: 5432", "port: 0x1538", "services.payments-db.engine.port", '"0x1538"', "decimal digits"),
    "tier in binary": ("tier: 1", "tier: 0b1", "functions.payments.tier", '"0b1"', "decimal digits"),
    "duration as time": (
        "rto: 1h",
        "rto: 10:30",
        "functions.payments.objectives.rto",
        '"10:30"',
        "or quotes around it",
    ),
    "no as text": (
        "Payment processing",
        "no",
        "functions.payments.title",
        '"no" is read as false',
        "the word in quotes",
    ),
    "On as text": (
        "Payment processing",
        "On",
        "functions.payments.title",
        '"On" is read as true',
        "the word in quotes",
    ),
    "no as a name": ("  dc2:", "  no:", "sites.no", '"no" is read as false', "the word in quotes"),
    "rate in parts": ("rate: 20", "rate: 1_0.5", "services.payments-db.canary.rate", '"1_0.5"', "a number such as 1.5"),
    "key twice": ("tier: 1,", "tier: 1, tier: 2,", "functions.payments.tier", "second time in line 9", "allowed: once"),
    "service twice": (
        "  accounts-db:",
        "  payments-db:",
        "services.payments-db",
        "second time in line 26",
        "allowed: once",
    ),
    "vault text without its tag": (
        '"{{ vault_canary }}"',
        "$ANSIBLE_VAULT;1.1;AES256",
        "services.payments-db.canary.password",
        "the value (not shown) is vaulted text without the tag !vault",
        "allowed: !vault | before it",
    ),
    "a tag !vault without vault text": (
        '"{{ vault_canary }}"',
        '!vault "hunter2"',
        "services.payments-db.canary.password",
        "the value (not shown) has the tag !vault and is no vaulted text",
        "allowed: what begins with $ANSIBLE_VAULT;",
    ),
}


@pytest.mark.parametrize(("old", "new", "field", "value", "allowed"), MISREAD.values(), ids=MISREAD)
def test_words_that_are_read_as_something_else(errors_of, assert_told, old, new, field, value, allowed):
    assert_told(errors_of(old, new), field, value, allowed)


@pytest.mark.parametrize(("encoding", "shown"), [("utf-16", "UTF-16 in line 1"), ("latin-1", "byte 0xe4 in line 9")])
def test_another_encoding(plan_text, encoding, shown):
    with pytest.raises(PlanReadError) as caught:
        read_plan(plan_text.replace("Payment", "P\u00e4yment").encode(encoding))
    assert str(caught.value) == f"is not UTF-8 ({shown}); allowed: the file saved as UTF-8"


def test_a_file_that_is_far_too_large(plan_text, monkeypatch):
    monkeypatch.setattr("ansible_collections.continuity.dr.plugins.plugin_utils.plan.read.LARGEST_BYTES", 100)
    with pytest.raises(PlanReadError, match=f"has {len(plan_text)} bytes; allowed: at most 100"):
        read_plan(plan_text)


ONLY_LOOKS_WRONG = {
    "byte order mark": lambda text: "\ufeff" + text,
    "Windows line ends": lambda text: text.replace("\n", "\r\n"),
    "document marks": lambda text: f"---\n{text}...\n",
    "merge": lambda text: text.replace("dc1: {", "dc1: &one {").replace("dc2: {", "dc2: {<<: *one, "),
    "umlauts": lambda text: text.replace("Payment processing", "Zahlungen f\u00fcr K\u00e4ufer"),
}


@pytest.mark.parametrize("change", ONLY_LOOKS_WRONG.values(), ids=ONLY_LOOKS_WRONG)
def test_what_only_looks_wrong_is_taken(errors_of, plan_text, change):
    assert errors_of(text=change(plan_text)) == []


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "- a\n", "hello\n", "~\n", "5\n"])
def test_no_plan_at_all(errors_of, assert_told, text):
    assert_told(errors_of(text=text), "the plan", "is not a mapping; allowed: a mapping with plugin, plan, sites")


def test_brackets_without_end_cost_nothing():
    started = time.process_time()
    with pytest.raises(PlanReadError):
        read_plan("a: " + "[" * 1_000_000)
    assert time.process_time() - started < 2
