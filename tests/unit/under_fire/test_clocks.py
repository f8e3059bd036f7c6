# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Controllers whose clocks are wrong, at a real name server: nobody takes a claim early, and none is eternal."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import dns_named
import pytest
from fire_controller import target
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.continuity.dr.plugins.plugin_utils.dns import wire
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.claim import Claims
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.claim_rules import Claimant, decide_claim
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.client import Client
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.clock import Clock
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.errors import DnsError
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.guard import MARGIN_SECONDS, standing

SECONDS = 120.0


class At:
    """A controller whose clock is wrong by so much, in everything it does."""

    def __init__(self, fire: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.fire, self.monkeypatch = fire, monkeypatch
        self.target = target(fire.name, fire.port, dns_named.SECRETS["continuity"])

    def _do(self, run: str, skew: float, what: str) -> dict[str, Any]:
        wrong = SimpleNamespace(time=lambda: time.time() + skew)
        with self.monkeypatch.context() as patch:
            patch.setattr(wire, "time", wrong)
            patch.setattr(wire.dns.message, "time", wrong)
            with Client(self.target.servers, self.target.key, 5.0) as client:
                claims = Claims(self.target, Claimant(run, f"{run}@ops", SECONDS), client, Clock(now=wrong.time))
                try:
                    return dict(getattr(claims, what)())
                except DnsError as error:
                    return {"status": error.reason}

    def claim(self, run: str, skew: float) -> str:
        return str(self._do(run, skew, "claim")["status"])

    def left(self) -> float:
        return float(self._do("nobody", 0.0, "observe")["seconds_left"])


@pytest.fixture
def at(fire: Any, monkeypatch: pytest.MonkeyPatch) -> At:
    return At(fire, monkeypatch)


@pytest.mark.parametrize("skew", [-3600, 3600])
def test_a_clock_an_hour_off_claims_nothing_and_takes_nothing(at: At, skew: int) -> None:
    assert at.claim("wrong", skew) == "tsig_badtime"
    assert at.left() == 0.0
    assert at.claim("right", 0) == "claimed"
    assert at.claim("wrong", skew) == "tsig_badtime"
    assert at.left() == pytest.approx(SECONDS + MARGIN_SECONDS, abs=5)


@pytest.mark.parametrize("skew", [-280, -100, 100, 280])
def test_what_the_signature_lets_through_is_judged_by_the_servers_clock(at: At, skew: int) -> None:
    """Two controllers may be ten minutes apart and both sign; the margin between claims is one minute."""
    assert at.claim("holder", 0) == "claimed"
    assert at.claim("wrong", skew) == "claim_held"
    assert at.left() == pytest.approx(SECONDS + MARGIN_SECONDS, abs=5)


@pytest.mark.parametrize("skew", [-280, 280])
def test_a_holder_whose_clock_is_wrong_holds_no_shorter_and_no_longer(at: At, skew: int) -> None:
    assert at.claim("wrong", skew) == "claimed"
    assert at.left() == pytest.approx(SECONDS + MARGIN_SECONDS, abs=5)
    assert at.claim("right", 0) == "claim_held"


def test_a_lease_is_told_its_claims_end_by_the_controllers_own_clock(at: At) -> None:
    """The claim's end is written by the server's clock: read by one's own it would be minutes off."""
    for skew in (-280, 0, 280):
        at.fire.name = f"s{skew + 500}.{at.fire.name}"
        at.target = target(at.fire.name, at.fire.port, dns_named.SECRETS["continuity"])
        usable = at._do("wrong", skew, "claim")["usable_until"]
        assert usable - (time.time() + skew) == pytest.approx(SECONDS - MARGIN_SECONDS, abs=5)


#: What the guides promise, in seconds: not the margin itself, or a smaller one would ask for less.
APART = st.one_of(st.sampled_from([-30.0, 30.0]), st.floats(-30.0, 30.0))
LATER = st.one_of(st.floats(SECONDS - 60, SECONDS + 60), st.floats(0, 500))


@settings(max_examples=500)
@given(APART, APART, LATER)
def test_nobody_takes_what_its_holder_still_trusts(mine: float, theirs: float, later: float) -> None:
    taken = decide_claim(None, Claimant("holder", "a@b", SECONDS), 1e9 + mine).guard
    assert taken is not None
    trusted = standing(taken.until, 1e9 + later + mine) == "usable"
    free = decide_claim(taken, Claimant("other", "a@b", SECONDS), 1e9 + later + theirs).outcome == "claimed"
    assert not (trusted and free)
    assert free or later <= SECONDS + 4 * MARGIN_SECONDS
