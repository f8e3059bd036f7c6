# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A blip of the link for 5 to 60 seconds, whatever each side sees: no step is decided, so nothing is touched."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from observed import GONE, left_behind

from ansible_collections.continuity.dr.plugins.plugin_utils.core.decide import decide
from ansible_collections.continuity.dr.plugins.plugin_utils.core.evidence import Evidence, Sighting
from ansible_collections.continuity.dr.plugins.plugin_utils.core.model import (
    WAIVABLE_RULES,
    Decision,
    EndpointView,
    LastSeen,
    Request,
    Service,
)
from ansible_collections.continuity.dr.plugins.plugin_utils.core.view import View

NOW, NAME = 1_795_317_300.0, "shop.example."
BLIP = st.floats(5.0, 60.0)
#: What the one fence says of the primary, which lives on: nothing, or that its machine is on.
FENCES = st.sampled_from([(), (Evidence("db1", "power", "on", None, True, None, "on"),)])


def decided(verb: str, seconds: float, evidence: tuple[Evidence, ...] = (), **other: Any) -> Decision:
    """The controller and db2 lost sight of db1 so long ago; db1 serves all the while."""
    db2 = left_behind(lag_seconds=seconds, receiving=other.pop("receiving", False))
    service = Service("shop", 300.0, {"db1": "dc1", "db2": "dc2"}, "dc1", (NAME,), ("power",), 2, 1800.0)
    endpoint = EndpointView(NAME, reachable=other.pop("arbiter", True), values=(str(GONE.address),))
    sighted = tuple(Sighting("witness", "db1", "it asks for a password") for _one in range(other.pop("sighted", 0)))
    seen = LastSeen(NOW - seconds, "db1", 1000, {"db2": "async"}, 1)
    view = View(service, {"db1": GONE, "db2": db2}, (endpoint,), seen, {"db1": evidence} if evidence else {}, sighted)
    target = None if verb == "rejoin" else "dc2"
    return decide(view, Request(verb, "run-a", NOW, target_site=target, reason="blip", **other))


@settings(max_examples=200)
@given(
    st.sampled_from(["failover", "switchover", "failback", "rejoin", "assess"]),
    BLIP,
    FENCES,
    st.booleans(),
    st.booleans(),
    st.integers(0, 1),
)
def test_a_blip_leads_to_no_step(
    verb: str, seconds: float, evidence: Any, receiving: bool, arbiter: bool, sighted: int
) -> None:
    decision = decided(verb, seconds, evidence, receiving=receiving, arbiter=arbiter, sighted=sighted)
    assert decision.steps == ()
    assert decision.refusals


@settings(max_examples=100)
@given(BLIP, FENCES)
def test_no_waiver_sent_by_a_machine_makes_one_either(seconds: float, evidence: Any) -> None:
    """Whatever is kept in a script: what stands for a fence names a refusal, which no script knows."""
    decision = decided("failover", seconds, evidence, waive=tuple(WAIVABLE_RULES), accept_data_loss_seconds=1e6)
    assert decision.steps == ()
    assert [refusal.rule for refusal in decision.refusals] == ["confirmation_missing"]


def test_the_same_is_decided_once_the_primary_is_proven_off() -> None:
    """Or the two tests above would hold for a decision that never does anything."""
    off = Evidence("db1", "power", "off", 3, True, 3, "off")
    steps = [step.name for step in decided("failover", 30.0, (off,)).steps]
    assert steps == ["claim", "lease", "fence", "promote", "point", "verify"]
