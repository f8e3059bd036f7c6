# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The guard on samples that were recorded in the lab: what it accepts, what it refuses, and what it exits with."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks import cases, commands, guard, verdict
from benchmarks.where import BOUNDS, CHECKOUT

FLOOR, MOVE = "floor_planned", "continuity_switchover"
DEBUG, KILLED = "ansible_debug_playbook", "continuity_failover_killed"
#: Five rounds of a machine that did nothing else; of the killed process promotion and redirection as well, in ms.
QUIET: dict[str, list[float]] = {
    FLOOR: [0.1148, 0.1244, 0.1133, 0.1263, 0.0962],
    MOVE: [0.2376, 0.1628, 0.1979, 0.1806, 0.1714],
    DEBUG: [0.5757, 0.5415, 0.5213, 0.5162, 0.5782],
    KILLED: [2.5137, 2.5033, 2.2092, 2.4150, 2.1067],
}
PARTS = [(325.72, 164.65), (291.2, 146.73), (283.04, 134.35), (312.12, 152.21), (260.53, 128.74)]
#: The same beside five other programs on two processors.
BUSY: dict[str, list[float]] = {
    FLOOR: [0.0989, 0.1127, 0.0996, 0.1705, 0.1012],
    MOVE: [0.1921, 0.3747, 0.2997, 0.5330, 0.2900],
    DEBUG: [0.5748, 0.5497, 0.5350, 0.6081, 0.5496],
    KILLED: [4.5862, 4.4130, 2.5210, 4.4000, 2.6000],
}
BUSY_PARTS = [(655.74, 325.58), (599.0, 309.0), (307.98, 155.91), (600.0, 300.0), (310.0, 160.0)]
SHOW = "import os; open(os.environ['SHOWN'], 'w').write(os.environ['ANSIBLE_COLLECTIONS_PATH'])"
PLANT = guard.plant  # of which the other tests see nothing
Take = Callable[[str, int], dict[str, Any]]


def recorded(values: dict[str, list[float]], parts: list[tuple[float, float]], planted: float = 0.0) -> Take:
    """What one repetition after the other was; round N of a later series is round N again."""

    def take(name: str, number: int) -> dict[str, Any]:
        took = values[name][(number - 1) % 5]
        if name == DEBUG:
            return {"wall_seconds": took, "parts": {}}
        if name == FLOOR:
            return {"outage_seconds": took, "lost": 0, "acknowledged": 220, "parts": {"promote": 30.0}}
        promote, redirect = parts[(number - 1) % 5] if name == KILLED else (80.0, 20.0)
        phases = {"decide": 540.0, "fence": 780.0, "promote": promote, "redirect": redirect + planted * 1000}
        return {"outage_seconds": took + planted, "lost": 0, "acknowledged": 300, "parts": phases}

    return take


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """What is written goes there, as in a new checkout; nothing is copied; no variable of a caller counts."""
    fresh = tmp_path / "build" / "bench"
    monkeypatch.setattr(guard, "STATE", fresh)
    monkeypatch.setattr(guard, "plant", lambda milliseconds: tmp_path / f"planted-{milliseconds}")
    monkeypatch.delenv("BENCH_ROUNDS", raising=False)
    monkeypatch.setenv("BENCH_COLLECTIONS", "")
    yield fresh


def altered(take: Take, name: str, number: int | None = None, **changes: Any) -> Take:
    """The same with other values in one case's repetition, or in all of them; None takes a value away."""

    def other(case: str, now: int) -> dict[str, Any]:
        sample = take(case, now)
        if case == name and number in (None, now):
            sample = {key: value for key, value in {**sample, **changes}.items() if value is not None}
        return sample

    return other


def counted(take: Take, seen: list[tuple[str, int]]) -> Take:
    """The same, noting what was asked for."""

    def other(name: str, number: int) -> dict[str, Any]:
        seen.append((name, number))
        return take(name, number)

    return other


def test_a_quiet_machine_is_measured_once_and_passes(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    seen: list[tuple[str, int]] = []
    assert guard.main([], counted(recorded(QUIET, PARTS), seen)) == 0
    assert len(seen) == 4 * guard.LEAST_ROUNDS
    said = capsys.readouterr().out
    assert f"{MOVE}, outage over {FLOOR}: 1.75 (best 1.69), bound 2.8: kept" in said
    assert f"{KILLED}, outage over {DEBUG}: 4.37 (best 4.08), bound 6.5: kept" in said
    assert f"{KILLED}, promote+redirect over {DEBUG}: 0.81 (best 0.75), bound 1.25: kept" in said
    kept = json.loads((elsewhere / "guard.json").read_text(encoding="utf-8"))
    assert {name: len(taken) for name, taken in kept["samples"].items()} == dict.fromkeys(
        (FLOOR, MOVE, DEBUG, KILLED), 5
    )


def test_the_repetitions_take_turns_there_and_back() -> None:
    seen: list[tuple[str, int]] = []
    guard.run(3, ["a", "b"], counted(lambda name, number: {}, seen))
    assert seen == [("a", 1), ("b", 1), ("b", 2), ("a", 2), ("a", 3), ("b", 3)]


@pytest.mark.parametrize("slower", [MOVE, KILLED])
def test_three_hundred_milliseconds_more_in_either_move_fail_without_a_second_try(
    slower: str, capsys: pytest.CaptureFixture[str]
) -> None:
    quiet, slow, seen = recorded(QUIET, PARTS), recorded(QUIET, PARTS, 0.3), list[tuple[str, int]]()
    mixed = counted(lambda name, number: (slow if name == slower else quiet)(name, number), seen)
    assert guard.main([], mixed) == 1
    assert len(seen) == 20
    passed = [line for line in capsys.readouterr().out.splitlines() if line.endswith(": passed")]
    assert len(passed) == 1
    assert passed[0].startswith(slower)


def test_a_machine_that_is_twice_as_slow_passes_and_notices_a_planned_move_that_is_slower_still() -> None:
    slow = {name: [2 * value for value in values] for name, values in QUIET.items()}
    parts = [(2 * promote, 2 * redirect) for promote, redirect in PARTS]
    assert guard.main([], recorded(slow, parts)) == 0
    assert guard.main([], recorded(slow, parts, 0.3)) == 1


def test_planting_ends_well_only_when_every_bound_that_claims_to_notices(capsys: pytest.CaptureFixture[str]) -> None:
    quiet, slow = recorded(QUIET, PARTS), recorded(QUIET, PARTS, 0.3)
    assert guard.main(["--plant-ms", "300"], slow) == 0
    assert "300 ms were planted and noticed" in capsys.readouterr().out
    assert guard.main(["--plant-ms", "300"], quiet) == 1
    for unnoticing, measure in ((MOVE, "outage"), (KILLED, "promote+redirect")):
        fast = {unnoticing: quiet}
        assert guard.main(["--plant-ms", "300"], lambda name, number, own=fast: own.get(name, slow)(name, number)) == 1
        assert re.search(
            f"^{unnoticing}, {re.escape(measure)} over .*: 300 ms were not noticed$", capsys.readouterr().out, re.M
        )


def test_planting_that_breaks_the_move_has_shown_nothing() -> None:
    slow = recorded(QUIET, PARTS, 0.3)
    assert guard.main(["--plant-ms", "300"], altered(slow, MOVE, 2, failed="CommandFailed: refused")) == 1
    assert guard.main(["--plant-ms", "100"], slow) == 1  # no bound claims to notice so little


def test_a_busy_machine_is_measured_again_and_accepted_when_it_has_calmed_down(
    capsys: pytest.CaptureFixture[str],
) -> None:
    busy, quiet, seen = recorded(BUSY, BUSY_PARTS), recorded(QUIET, PARTS), list[tuple[str, int]]()

    def calming(name: str, number: int) -> Any:
        return busy(name, number) if len(seen) <= 20 else quiet(name, number)

    settled = counted(calming, seen)
    assert guard.main([], settled) == 0
    assert len(seen) == 40
    assert "measured again" in capsys.readouterr().out


def test_what_stays_slow_in_every_series_fails_even_where_one_repetition_was_fast() -> None:
    seen: list[tuple[str, int]] = []
    assert guard.main([], counted(recorded(BUSY, BUSY_PARTS), seen)) == 1
    assert len(seen) == 20 * guard.MOST_SERIES


@pytest.mark.parametrize("arguments", [["--rounds", "4"], ["--rounds", "1"], ["--rounds", "0"], ["--plant-ms", "-1"]])
def test_fewer_than_five_rounds_are_refused_before_anything_is_measured(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[tuple[str, int]] = []
    with pytest.raises(SystemExit) as ended:
        guard.main(arguments, counted(recorded(QUIET, PARTS), seen))
    assert (ended.value.code, seen) == (2, [])
    assert "allowed are" in capsys.readouterr().err


def test_so_are_those_that_the_environment_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_ROUNDS", "4")
    with pytest.raises(SystemExit):
        guard.main([], recorded(QUIET, PARTS))


@pytest.mark.parametrize(
    ("name", "number", "changes", "said"),
    [
        (MOVE, 3, {"lost": 1}, f"{MOVE}: 1 acknowledged rows lost in one repetition; allowed: 0"),
        (FLOOR, 1, {"lost": 2}, f"{FLOOR}: 2 acknowledged rows lost in one repetition; allowed: 0"),
        (KILLED, 5, {"lost": 101}, f"{KILLED}: 101 acknowledged rows lost in one repetition; allowed: 100"),
        (MOVE, 2, {"failed": "CommandFailed: no"}, f"{MOVE}: a repetition failed: CommandFailed: no"),
        (FLOOR, 2, {"failed": "NotReady: no"}, f"{FLOOR}: measured 4 times; allowed: 5 or more"),
        (MOVE, 4, {"acknowledged": 0}, f"{MOVE}: no row was acknowledged"),
        (MOVE, None, {"outage_seconds": None}, f"{MOVE}, outage over {FLOOR}: not measured"),
        (FLOOR, 1, {"outage_seconds": 0.0}, f"{MOVE}, outage over {FLOOR}: not measured"),
        (KILLED, 1, {"parts": {"promote": 300.0}}, f"{KILLED}, promote+redirect over {DEBUG}: not measured"),
        (DEBUG, 1, {"wall_seconds": None}, f"{KILLED}, outage over {DEBUG}: not measured"),
    ],
)
def test_what_was_lost_or_not_measured_fails(
    name: str, number: int | None, changes: dict[str, Any], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert guard.main([], altered(recorded(QUIET, PARTS), name, number, **changes)) == 1
    assert said in capsys.readouterr().out


def test_a_kill_may_cost_what_an_asynchronous_standby_lacks() -> None:
    assert guard.main([], altered(recorded(QUIET, PARTS), KILLED, 5, lost=1)) == 0


def test_a_case_without_any_sample_fails() -> None:
    bounds = guard.read_bounds(BOUNDS)
    samples = guard.run(5, verdict.cases(bounds), recorded(QUIET, PARTS))
    del samples[MOVE]
    found = verdict.missing(samples, bounds, 5, [FLOOR, MOVE])
    assert found == [
        f"{MOVE}: measured 0 times; allowed: 5 or more",
        f"{MOVE}, outage over {FLOOR}: not measured, so the bound of 2.8 could not be checked",
    ]


def test_the_bounds_are_for_both_moves_and_each_notices_what_is_planted() -> None:
    bounds = guard.read_bounds(BOUNDS)
    assert {bound.case for bound in bounds if bound.notices_ms == 300} == {MOVE, KILLED}
    assert {bound.base for bound in bounds} == {FLOOR, DEBUG}
    assert cases.ALL[MOVE].floor == FLOOR


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"continuity_switchover": 2.2}', '[{"case": "a"}]', '[{"case": "a", "base": "b", "x": 1}]']
)
def test_bounds_that_say_nothing_are_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "bounds.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(guard.LabError, match=r"bounds\.json.*allowed"):
        guard.read_bounds(path)


def test_a_bound_of_a_case_that_there_is_not_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bounds.json"
    path.write_text(json.dumps([{"case": "nobody", "measure": "outage", "base": FLOOR, "bound": 2}]), encoding="utf-8")
    with pytest.raises(guard.LabError, match="no case is called nobody; allowed: floor_planned"):
        guard.read_bounds(path)


def test_a_repetition_that_breaks_off_is_a_sample_that_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(case: object, run_id: str) -> dict[str, Any]:
        raise RuntimeError("the lab is not up")

    monkeypatch.setattr(guard, "measure", broken)
    assert guard.sample(MOVE, 1) == {"failed": "RuntimeError: the lab is not up"}


class ActionModule:
    def _switch(self, args: Any, opened: Any = None) -> Any:
        return args, opened


def test_the_planted_delay_lies_in_the_way_of_a_switch_and_of_one_that_was_armed() -> None:
    names: dict[str, Any] = {"ActionModule": ActionModule}
    exec(guard.DELAY.format(seconds=0.05), names)
    started = time.monotonic()
    assert ActionModule()._switch({"name": "a"}) == ({"name": "a"}, None)
    assert ActionModule()._switch({"name": "a"}, "open") == ({"name": "a"}, "open")
    assert time.monotonic() - started >= 0.1


def test_what_it_is_planted_into_is_there() -> None:
    source = (CHECKOUT / "plugins" / "action" / "dns_switch.py").read_text(encoding="utf-8")
    assert "def _switch(self, args: dict[str, Any], opened: Client | None = None)" in source


def test_make_runs_it_as_it_is() -> None:
    makefile = (CHECKOUT / "Makefile").read_text(encoding="utf-8")
    assert re.search(r"^bench-guard: lab\b.*\n\tpython -m benchmarks\.guard\b", makefile, re.MULTILINE)


def test_what_is_planted_stands_in_a_whole_copy_and_every_verb_of_the_guard_runs_that_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []

    def take(name: str, number: int) -> dict[str, Any]:
        seen.append(commands.ansible([sys.executable, "-c", SHOW], watched=False) and shown.read_text(encoding="utf-8"))
        return recorded(QUIET, PARTS, 0.3)(name, number)

    shown = tmp_path / "shown"
    monkeypatch.setenv("SHOWN", str(shown))
    monkeypatch.setattr(guard, "COPY", tmp_path / "planted")
    monkeypatch.setattr(guard, "plant", PLANT)
    assert guard.main(["--plant-ms", "300"], take) == 0
    assert set(seen) == {str(tmp_path / "planted")}
    place = "plugins/action/dns_switch.py"
    planted = tmp_path / "planted" / "ansible_collections" / "continuity" / "dr"
    given = (CHECKOUT / place).read_text(encoding="utf-8")
    assert (planted / place).read_text(encoding="utf-8") == given + guard.DELAY.format(seconds=0.3)
    assert (planted / "galaxy.yml").is_file() and (planted / "playbooks" / "failover.yml").is_file()
