# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What operators type wrong, and what they must be told: the field, the value, what is allowed, which name was meant.

Every row of the tables is `(what was typed, the field, all that the message says of it)`.
"""

from __future__ import annotations

import socket

import pytest
import sample_plan

from ansible_collections.continuity.dr.plugins.plugin_utils.plan import load_plan
from ansible_collections.continuity.dr.plugins.plugin_utils.plan.read import PlanReadError, read_plan

PLAN = (
    """\
plugin: continuity.dr.plan
plan:
  id: shop
  environment: drill
sites:
  dc1: {use: preferred}
  dc2: {use: recovery, group: second}
functions:
  payments: {title: Payment processing, tier: 1, objectives: {rto: 1h, rpo: 0s, mtpd: 4h}, depends_on: [accounts]}
  accounts: {tier: 2, objectives: {rto: 2h, rpo: 5m}}
"""
    + sample_plan.SERVICES
)


@pytest.fixture
def plan_text():
    """The correct plan."""
    return PLAN


@pytest.fixture
def no_network(monkeypatch):
    """Whoever opens a connection, or sends anything, fails the test."""

    def contacted(*_arguments, **_options):
        raise AssertionError("something was contacted")

    for name in ("connect", "connect_ex", "sendto", "sendmsg", "bind"):
        monkeypatch.setattr(socket.socket, name, contacted)
    monkeypatch.setattr(socket, "getaddrinfo", contacted)


@pytest.fixture
def errors_of(no_network):
    """`errors_of("tier: 1", "tier: one")`: every error of the plan with that text replaced once."""

    def run(old="", new="", text=None):
        if text is None:
            assert old in PLAN
            text = PLAN.replace(old, new, 1)
        try:
            plan, errors = read_plan(text)
        except PlanReadError as error:
            return [f"plan.yml: {error}"]
        return load_plan(plan, errors).errors

    return run


@pytest.fixture
def assert_told():
    """`assert_told(errors, "plan.id", '"x"', "allowed: ...")`: one error is about the field and says all of that."""

    def run(errors, field, *says):
        about = [text for text in errors if text.startswith((f"{field}:", f"{field} "))]
        assert [text for text in about if all(part in text for part in says)], errors
        assert all(text.isprintable() for text in errors), "an error stands on one line, with nothing hidden in it"

    return run
