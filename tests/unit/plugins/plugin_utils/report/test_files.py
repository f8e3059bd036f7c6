# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import dataclasses
import json
import os
import stat

import pytest

from ansible_collections.continuity.dr.plugins.plugin_utils import run, spine
from ansible_collections.continuity.dr.plugins.plugin_utils.core.model import Observation
from ansible_collections.continuity.dr.plugins.plugin_utils.report import (
    ReportError,
    compare,
    compare_lines,
    history,
    history_lines,
    newest,
    write,
)


def test_every_format_is_written_and_json_always(moved, report_of, tmp_path):
    report = report_of(moved().canary())
    paths = write(report, tmp_path, ["junit"])
    assert sorted(paths) == ["json", "junit"]
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["junit.xml", "report.json"]
    assert json.loads((tmp_path / "report.json").read_text()) == report
    assert list(write(report, tmp_path)) == ["json", "markdown", "junit", "html"]
    assert stat.S_IMODE((tmp_path / "report.md").stat().st_mode) == 0o644


def test_a_file_is_replaced_as_a_whole_or_not_at_all(moved, report_of, tmp_path, monkeypatch):
    report = report_of(moved().canary())
    (tmp_path / "report.json").write_text("old")

    def broken(_source, _target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", broken)
    with pytest.raises(ReportError, match=r"report\.json cannot be written: No space left"):
        write(report, tmp_path)
    assert (tmp_path / "report.json").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["report.json"]


def test_a_directory_that_is_not_there_is_named(moved, report_of, tmp_path):
    with pytest.raises(ReportError, match="cannot be written"):
        write(report_of(moved().canary()), tmp_path / "none")


@pytest.fixture
def several(moved, report_of, tmp_path):
    """Three runs with a report, one without, one foreign file."""
    for name, outage, started in (("b", 2.41, 100), ("a", 1.5, 300), ("c", 9.0, 200)):
        run = moved(name=name).canary(outage=outage)
        run.run.update(run_id=name, started=run.run["started"] + started)
        write(report_of(run), run.path)
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "report.json").write_text('{"services": [1]}')
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "report.json").write_text("{")
    moved(name="unreported").write()
    return tmp_path


def test_runs_are_compared_oldest_first(several):
    assert [(each.run_id, each.rto_seconds) for each in compare(several)] == [("b", 2.41), ("c", 9.0), ("a", 1.5)]
    first = compare(several)[0]
    assert (first.verb, first.service, first.verdict) == ("failover", "payments-db", "passed")
    assert (first.rto_objective_seconds, first.rpo_seconds, first.rpo_objective_seconds, first.lost) == (3600, 0, 0, 0)
    assert compare_lines([first]) == ["b  failover payments-db: passed, outage 2.41s of 1h, loss 0s of 0s"]


def test_what_cannot_be_compared_is_named(several):
    report = json.loads((several / "a" / "report.json").read_text())
    report["services"][0]["rto"]["measured_seconds"] = "1.5"
    (several / "a" / "report.json").write_text(json.dumps(report))
    found = history(several)
    assert [run.run_id for run in found.runs] == ["b", "c"]
    assert {each.name: each.why.split(":")[0] for each in found.skipped} == {
        "a": "report.json is broken, or no report of this collection (ValueError",
        "broken": "report.json is broken, or no report of this collection (JSONDecodeError",
        "foreign": "report.json is broken, or no report of this collection (TypeError",
        "unreported": "the run has no report.json",
    }
    assert "continuity_run_id=unreported" in found.skipped[-1].why


def test_the_last_sights_beside_the_runs_are_no_foreign_run(several):
    run.forget()
    begun = run.begin(verb="failover", inputs={}, plan={}, services={}, runs_directory=str(several))
    run.forget()
    spine.remember(begun, "payments-db", Observation("db1", "dc1", reachable=True, running=True, role="primary"))
    assert (several / "last_seen" / "payments-db.json").is_file()
    assert "last_seen" not in {each.name for each in history(several).skipped}
    (several / "last_seen" / "report.json").write_text("{")
    assert "last_seen" in {each.name for each in history(several).skipped}


def test_a_run_in_check_mode_is_compared_with_no_other(several, moved, report_of):
    checked = moved("switchover", name="checked")
    checked.run.update(run_id="checked", check_mode=True)
    write(report_of(checked), checked.path)
    found = history(several)
    assert "checked" not in {each.run_id for each in found.runs}
    assert "left out: checked: the run was in check mode (--check)" in "\n".join(history_lines(found))


@pytest.mark.parametrize(
    ("verb", "verdict", "measured", "told"),
    [
        ("assess", "passed", None, "outage -, loss -"),
        ("rejoin", "failed", None, "outage -, loss -"),
        ("failover", "refused", None, "outage -, loss -"),
        ("drill", "nothing_to_do", None, "outage -, loss -"),
        ("failover", "not_measured", None, "outage not measured of 1h, loss not measured of 0s"),
        ("drill", "failed", None, "outage not measured of 1h, loss not measured of 0s"),
        ("rejoin", "objective_missed", 2.41, "outage 2.41s of 1h, loss 2.41s of 0s"),
        ("switchover", "refused", 2.41, "outage 2.41s of 1h, loss 2.41s of 0s"),
    ],
)
def test_only_a_run_that_could_have_an_outage_is_not_measured(several, verb, verdict, measured, told):
    changed = {"verb": verb, "verdict": verdict, "rto_seconds": measured, "rpo_seconds": measured}
    (line,) = compare_lines([dataclasses.replace(compare(several)[0], **changed)])
    assert line.endswith(f", {told}")


def test_counts_stand_on_one_line(moved, report_of, tmp_path):
    report = report_of(moved().canary().ledger())
    write(report, tmp_path, [])
    text = (tmp_path / "report.json").read_text()
    assert json.loads(text) == report
    counts = report["services"][0]["client"]["acknowledged"]
    assert f'"acknowledged": {json.dumps(counts)},' in text and len(counts) > 20


def test_a_lone_surrogate_costs_nobody_the_report(moved, report_of, tmp_path):
    report = report_of(moved().canary())
    report["services"][0]["message"] = "half a letter: \ud83d"
    paths = write(report, tmp_path)
    assert json.loads((tmp_path / "report.json").read_text()) == report
    assert all((tmp_path / path).stat().st_size for path in paths.values())


def test_nothing_to_compare(tmp_path):
    assert compare(tmp_path) == [] and compare(tmp_path / "none") == []


def test_the_newest_run_is_the_one_that_began_last_whenever_its_files_were_written(several):
    for number, name in enumerate(["a", "unreported", "b", "c"]):
        os.utime(several / name / "run.json", (2e9 + number, 2e9 + number))
    assert newest(several).name == "a"


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"started": null}', '{"started": "x"}', '{"started": true}'])
def test_the_time_of_the_file_counts_where_a_run_does_not_tell_when_it_began(several, content):
    path = several / "unreported" / "run.json"
    path.write_text(content)
    newest_told = json.loads((several / "a" / "run.json").read_text())["started"]
    for seconds, expected in ((-1, "a"), (1, "unreported")):
        os.utime(path, (newest_told + seconds, newest_told + seconds))
        assert newest(several).name == expected


def test_no_run_at_all_is_said(tmp_path):
    with pytest.raises(ReportError, match="holds no run"):
        newest(tmp_path)
