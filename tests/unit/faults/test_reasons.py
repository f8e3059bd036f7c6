# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A fault or control that is refused counts only by the rules of its row, and its row says what they measured."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from harness import Result

from tests.faults.procedures import controls, replica
from tests.faults.trial import Seen

DETACHED = "exit 2, refused: `not_streaming`: not attached (limit: streaming from db1)"


def ended(verdict: str, rules: tuple[str, ...] = (), message: str = "", reasons: tuple[str, ...] = ()) -> Result:
    refusals = [{"rule": rule, "measured": "not attached", "limit": "streaming from db1"} for rule in rules]
    service = {"service": "payments-db", "refusals": refusals, "message": message, "reasons": list(reasons)}
    return Result(2, "not_streaming", 0.0, {"verdict": verdict, "services": [service]})


@pytest.fixture
def trial(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(controls, "serves_again", lambda _trial: None)
    return SimpleNamespace(service="payments-db", writable=lambda: ["db1"], unit=lambda *_words: "loaded")


@pytest.mark.parametrize(
    ("result", "text"),
    [
        (ended("refused", ("not_streaming",)), DETACHED),
        (ended("refused", ("not_streaming",), "db2 was refused", ("see below",)), DETACHED),
        (ended("failed", (), "promote_failed"), "exit 2, failed: promote_failed"),
        (ended("failed", (), "", ("baseline: nowhere",)), "exit 2, failed: baseline: nowhere"),
    ],
    ids=["refused", "refused, with a message", "failed", "failed before the fault"],
)
def test_the_row_of_a_control_says_why(trial: Any, result: Result, text: str) -> None:
    assert controls.ended(trial, result, result.report["verdict"]).text == text


@pytest.mark.parametrize("result", [ended("refused"), ended("refused", (), "no"), ended("failed")])
def test_a_control_whose_report_gives_no_reason_fails(trial: Any, result: Result) -> None:
    with pytest.raises(AssertionError, match="gives no reason"):
        controls.ended(trial, result, result.report["verdict"], "not_streaming")


UNKNOWN = "how far db2 is behind is not known"
BRANCHED = f"{UNKNOWN}; the last sight of a primary does not count: it is of timeline 1, and db2 is on 2"


@pytest.mark.parametrize(
    ("rules", "message", "wrong"),
    [
        (("lag_unknown",), BRANCHED, ""),
        (("lag_unknown", "primary_seen"), BRANCHED, ""),
        (("lag_unknown",), UNKNOWN, "no reason"),
        (("primary_seen",), BRANCHED, "not by lag_unknown"),
        ((), BRANCHED, "not by lag_unknown"),
    ],
)
def test_a_replica_that_diverged_is_refused_for_what_its_row_says(
    monkeypatch: pytest.MonkeyPatch, rules: tuple[str, ...], message: str, wrong: str
) -> None:
    for step in ("crash", "restart"):
        monkeypatch.setattr(replica, step, lambda *_words, **_more: None)
    asked: list[tuple[str, tuple[str, ...]]] = []

    def refused(verb: str, *_words: str, rules: tuple[str, ...]) -> Seen:
        asked.append((verb, rules))
        return Seen("`timeline_differs`: 2 (limit: 1)", True)

    result = ended("refused", rules)
    for each in result.report["services"][0]["refusals"]:
        each["message"] = message
    watch = SimpleNamespace(verb=lambda *_words: result, wait_rows=lambda _count: None)
    lab: Any = SimpleNamespace(service="payments-db", move=(), refused=refused, watch=watch)
    if wrong:
        with pytest.raises(AssertionError, match=wrong):
            replica.diverged(lab)
    else:
        assert "; failover: `lag_unknown`: not attached" in replica.diverged(lab).text
    assert asked == [("switchover", ("timeline_differs",))]
