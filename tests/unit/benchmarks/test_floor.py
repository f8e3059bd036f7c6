# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The floor is a recipe: these steps, in this order, each reported. A slower floor would make everybody look better."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks import places
from benchmarks.cases import floor

POSITION = "0/3000028"


class Answers:
    """A shell or a database session that notes what it was asked, for all of them in one list."""

    def __init__(self, name: str, said: list[tuple[str, str]], answers: dict[str, list[str]]) -> None:
        self.name, self.said, self.answers = name, said, answers

    def ask(self, text: str) -> str:
        self.said.append((self.name, text))
        waiting = self.answers.get(text, [""])
        return waiting.pop(0) if len(waiting) > 1 else waiting[0]


def hands(case: floor.Floor, monkeypatch: pytest.MonkeyPatch, **answers: list[str]) -> list[tuple[str, str]]:
    """Everything open; the standby needs three looks to have replayed, and two to be a primary."""
    said: list[tuple[str, str]] = []
    known = {
        floor.CONTROL: answers.get("control", [f"shut down\n{POSITION}"]),
        f"SELECT pg_last_wal_replay_lsn() > '{POSITION}';": answers.get("replayed", ["f", "f", "t"]),
        "SELECT pg_is_in_recovery();": answers.get("recovery", ["t", "f"]),
    }
    case.hands = floor.Hands(*(Answers(name, said, known) for name in ("old", "old_sql", "new_sql")))
    case.update = "the update"
    monkeypatch.setattr(places, "send_update", lambda update: said.append(("dns", update)))
    return said


def test_planned_is_checkpoint_fast_stop_proof_promotion_and_one_update(monkeypatch: pytest.MonkeyPatch) -> None:
    case = floor.Planned()
    said = hands(case, monkeypatch)
    acted = case.act()
    replayed = ("new_sql", f"SELECT pg_last_wal_replay_lsn() > '{POSITION}';")
    recovery = ("new_sql", "SELECT pg_is_in_recovery();")
    assert said == [
        ("old_sql", "CHECKPOINT;"),
        ("old", floor.STOP),
        ("old", floor.CONTROL),
        *(replayed, replayed, replayed),
        ("new_sql", "SELECT pg_promote(false);"),
        *(recovery, recovery),
        ("dns", "the update"),
    ]
    assert list(acted.parts) == ["checkpoint", "stop", "position", "replay", "promote", "redirect"]
    assert acted.wall_seconds is not None
    assert sum(acted.parts.values()) <= acted.wall_seconds * 1000


def test_after_a_kill_it_is_promotion_and_one_update(monkeypatch: pytest.MonkeyPatch) -> None:
    case = floor.Killed()
    said = hands(case, monkeypatch)
    acted = case.act()
    assert [text for _who, text in said] == [
        floor.KILL,
        "SELECT pg_promote(false);",
        *["SELECT pg_is_in_recovery();"] * 2,
        "the update",
    ]
    assert list(acted.parts) == ["promote", "redirect"]


@pytest.mark.parametrize("state", ["in production", "shutting down", "in archive recovery", ""])
def test_without_the_proof_of_a_clean_shutdown_even_the_floor_promotes_nothing(
    state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = floor.Planned()
    said = hands(case, monkeypatch, control=[f"{state}\n{POSITION}"])
    with pytest.raises(places.NotReady):
        case.act()
    assert ("new_sql", "SELECT pg_promote(false);") not in said


def test_the_pauses_are_two_milliseconds_and_the_stop_is_a_fast_one(monkeypatch: pytest.MonkeyPatch) -> None:
    assert floor.POLL_SECONDS == 0.002
    pauses: list[float] = []
    monkeypatch.setattr(floor.time, "sleep", pauses.append)
    answers = iter([False, False, True])
    floor.poll(lambda: next(answers))
    assert pauses == [0.002, 0.002]
    assert 'kill -INT "$(head -1 ' in floor.STOP
    assert "sleep 0.002" in floor.STOP
    assert "kill -KILL" in floor.KILL


def test_what_never_comes_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter(range(0, 1000, 4))
    monkeypatch.setattr(floor.time, "monotonic", lambda: float(next(now)))
    monkeypatch.setattr(floor.time, "sleep", lambda _seconds: None)
    with pytest.raises(places.NotReady, match="not within 10 s"):
        floor.poll(lambda: False)


def test_each_is_the_floor_of_the_peers_cases_of_its_kind() -> None:
    from benchmarks import cases

    floors: dict[str, set[str]] = {}
    for name, case in cases.ALL.items():
        floors.setdefault(case.floor, set()).add(name)
    planned: Any = {name for name in cases.ALL if name.endswith(("_planned", "_switchover"))}
    killed = {name for name in cases.ALL if "_killed" in name or "_host_gone" in name}
    assert planned <= floors["floor_planned"]
    assert killed <= floors["floor_killed"]
    assert not killed & floors["floor_planned"]
