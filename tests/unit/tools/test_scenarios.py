# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A share of the scenarios: what each commit needs always runs, the rest by a seed; nothing is left out for good."""

from __future__ import annotations

from pathlib import Path

import jobs
import pytest
import scenarios

TOP = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
def begun(monkeypatch: pytest.MonkeyPatch) -> list[jobs.Job]:
    """The jobs that were handed over, of which none runs."""
    given: list[jobs.Job] = []

    def take(handed: list[jobs.Job]) -> int:
        given.extend(handed)
        return 0

    monkeypatch.chdir(TOP)
    monkeypatch.setattr(scenarios, "run_all", take)
    return given


def names(given: list[jobs.Job]) -> list[str]:
    return [job.name.removeprefix("molecule/") for job in given]


def test_without_a_share_every_scenario_runs_however_long_it_takes(begun: list[jobs.Job]) -> None:
    assert scenarios.main([]) == 0
    assert set(names(begun)) == {str(p.parent.relative_to(TOP / "extensions/molecule")) for p in _files()}
    assert {job.within for job in begun} == {None}


def test_a_share_begins_with_what_each_commit_needs_and_leaves_nothing_out_but_for_time(
    begun: list[jobs.Job],
) -> None:
    scenarios.main([])
    whole = sorted(names(begun))
    begun.clear()
    scenarios.main(["--share=a"])
    assert sorted(names(begun)) == whole
    least = len(scenarios.EACH_TIME)
    assert set(names(begun)[:least]) == set(scenarios.EACH_TIME)
    assert {job.within for job in begun[:least]} == {None}
    assert {job.within for job in begun[least:]} == {scenarios.SHARE_SECONDS}


def test_a_seed_gives_the_same_order_again_and_another_one_another(begun: list[jobs.Job]) -> None:
    orders = []
    for seed in ("a", "a", "b"):
        begun.clear()
        scenarios.main([f"--share={seed}"])
        orders.append(names(begun))
    assert orders[0] == orders[1] != orders[2]


def test_a_commit_has_a_share_of_its_own(
    begun: list[jobs.Job], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(scenarios, "commit", lambda: "abc1234")
    scenarios.main(["--share=commit"])
    assert "--share=abc1234, " in capsys.readouterr().out


def test_a_scenario_that_is_not_there_is_told_with_those_that_are(
    begun: list[jobs.Job], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        scenarios.main(["failover/none", "switchover/nothing"])
    said = capsys.readouterr().err
    assert "no scenario failover/none, switchover/nothing; there are: default, " in said
    assert not begun


def _files() -> list[Path]:
    return list((TOP / "extensions" / "molecule").rglob("molecule.yml"))
