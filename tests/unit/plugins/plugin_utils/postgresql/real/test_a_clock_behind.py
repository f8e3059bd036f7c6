# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A real standby whose clock is behind its dead primary's: what it says of its lag, and what is decided from it."""

from __future__ import annotations

import dataclasses
import time

import pytest

from ansible_collections.continuity.dr.plugins.plugin_utils.core.decide import decide
from ansible_collections.continuity.dr.plugins.plugin_utils.core.model import (
    EndpointView,
    Observation,
    Request,
    Service,
)
from ansible_collections.continuity.dr.plugins.plugin_utils.core.view import View

#: So long after the crash somebody looks, by the controller's clock.
LATER = 400.0


def look(server, ahead: float) -> Observation:
    """What the member answers when its clock shows so much more than this machine's."""
    run = server.run
    try:
        server.run = lambda script, seconds=30.0: run(
            script.replace("extract(epoch from clock_timestamp())", f"extract(epoch from clock_timestamp()) + {ahead}"),
            seconds,
        )
        return server.see()
    finally:
        server.run = run


@pytest.mark.parametrize(("off", "says_of_itself"), [(0.0, 400.0), (-150.0, 250.0)])
def test_a_standby_whose_clock_is_behind_is_not_promoted_over_the_rpo(pair, off, says_of_itself):
    db1, db2 = pair
    db1.sql("insert into entry values (1)")
    db2.until(lambda: db2.sql("select number from entry") == [(1,)], "replayed")
    committed = time.time()
    db1.crash()
    db2.until(lambda: db2.see().receiving is False, "alone")
    asked = time.time() + LATER
    target = dataclasses.replace(look(db2, LATER + off), site="dc2", address="203.0.113.11", asked=asked)
    assert target.lag_seconds is not None and abs(target.lag_seconds - says_of_itself) < 60
    assert target.committed is not None and committed - 60 < target.committed < committed
    dead = dataclasses.replace(db1.see(), site="dc1", address="198.51.100.11")
    service = Service("shop", 300.0, {"db1": "dc1", "db2": "dc2"}, "dc1", ("shop.example.",))
    endpoint = EndpointView("shop.example.", reachable=True, values=(dead.address,))
    view = View(service, {"db1": dead, "db2": target}, (endpoint,))
    decision = decide(view, Request("failover", "run-1", time.time() + LATER, target_site="dc2"))
    (refusal,) = decision.refusals
    assert refusal.rule == "lag_over_rpo" and float(refusal.measured.removesuffix(" s")) >= LATER
    assert any("db2's clock is" in line for line in decision.evidence) is bool(off)
