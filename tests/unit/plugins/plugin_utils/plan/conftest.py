# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A correct plan, and how the tests make it wrong in one place."""

from __future__ import annotations

import copy

import pytest
import sample_plan

from ansible_collections.continuity.dr.plugins.plugin_utils.plan.read import read_plan

PLAN = """
plugin: continuity.dr.plan
plan:
  id: shop
  environment: drill
  version: "3"
  allowances: {detection: 60s, decision: 5m}
  review: {every: 180d, last: 2026-10-01}
sites:
  dc1: {use: preferred, fault_domains: [power-a, isp-a]}
  dc2: {use: recovery, standby: hot, group: second, fault_domains: [power-b, isp-a]}
functions:
  payments:
    title: Payment processing
    tier: 1
    owner: payments-lead
    objectives: {rto: 1h, rpo: 0s, mtpd: 4h}
    depends_on: [accounts]
  accounts: {tier: 2, objectives: {rto: 2h, rpo: 5m}}
""" + sample_plan.SERVICES.replace("name: payments-db.", "name: Payments-db.")


@pytest.fixture
def plan():
    """The correct plan as read, the test's own copy."""
    data, errors = read_plan(PLAN)
    assert errors == []
    return data


@pytest.fixture
def changed(plan):
    """`changed("services.payments-db.members[0]", "x")`: one thing put there, or taken away by `(removed)`."""

    def change(path, value):
        *above, last = path.replace("[", ".").replace("]", "").split(".")
        target = plan
        for step in above:
            target = target[int(step)] if step.isdigit() else target[step]
        last = int(last) if last.isdigit() else last
        if value == "(removed)":
            del target[last]
        else:
            target[last] = copy.deepcopy(value)
        return plan

    return change
