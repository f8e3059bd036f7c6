# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What judges the fault matrix, without the lab: two writers, wrong answers, lost rows, secrets, results, page."""

from __future__ import annotations

import json
from pathlib import Path

import dns.message
import dns.rcode
import dns.rrset
import pytest
from topology import CHECKOUT

from tests.faults import catalogue, page, results
from tests.faults.answers import wrong
from tests.faults.leaks import FENCE_PASSWORD, leaks, secrets_of
from tests.faults.ledger import declared, undeclared
from tests.faults.writers import Answer, Spell, spells, two_at_once

NAME = "accounts-db.shop.example."


def yes(member: str, *moments: float) -> list[Answer]:
    """Answers that came 10 ms after they were asked for."""
    return [Answer(member, moment + 0.01, moment) for moment in moments]


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        (yes("db1", 1.0, 1.1, 1.2), yes("db2", 1.3, 1.4), False),
        (yes("db1", 1.0, 1.1, 1.2), yes("db2", 1.15, 1.25), True),
        (yes("db1", 1.0, 1.1, 1.2, 1.3), yes("db2", 1.15), True),
        (yes("db1", 1.0), yes("db2", 1.0), False),  # one answer each proves no common moment
        (yes("db1", 1.0, 1.1, 9.0), yes("db2", 5.0, 5.1), False),  # db1 was frozen meanwhile
        (yes("db1", 1.0, 1.1, 9.0, 9.1), yes("db2", 5.0, *(5.0 + n / 10 for n in range(50))), True),
        ([*yes("db1", 1.0), Answer("db1", 1.1), *yes("db1", 1.4)], yes("db2", 1.15, 1.25), False),
        ([*yes("db1", 1.0, 1.1), Answer("db1", 1.2)], [], False),
    ],
    ids=["handed over", "overlap", "within", "a moment each", "frozen", "thawed", "refused between", "alone"],
)
def test_two_writers_are_two_that_certainly_took_writes_at_one_moment(
    one: list[Answer], other: list[Answer], both: bool
) -> None:
    assert bool(two_at_once([spells(one), spells(other)])) is both


def test_two_spells_of_one_member_are_no_two_writers() -> None:
    assert two_at_once([[Spell("db1", 1.0, 3.0), Spell("db1", 2.0, 4.0)], []]) == []


@pytest.mark.parametrize(
    ("rcode", "records", "problem"),
    [
        (dns.rcode.NOERROR, ("A", "198.51.100.11"), ""),
        (dns.rcode.NOERROR, None, "an empty answer"),
        (dns.rcode.NOERROR, ("TXT", '"epoch=1"'), "an empty answer"),
        (dns.rcode.NXDOMAIN, None, "NXDOMAIN"),
        (dns.rcode.SERVFAIL, None, "SERVFAIL"),
        (dns.rcode.REFUSED, ("A", "198.51.100.11"), "REFUSED"),
    ],
)
def test_an_answer_gives_an_address_or_is_wrong(
    rcode: dns.rcode.Rcode, records: tuple[str, str] | None, problem: str
) -> None:
    reply = dns.message.make_response(dns.message.make_query(NAME, "A"))
    reply.set_rcode(rcode)
    if records:
        reply.answer.append(dns.rrset.from_text(NAME, 5, "IN", *records))
    assert wrong(reply) == problem


ROWS = [(number, float(number)) for number in range(1, 11)]


@pytest.mark.parametrize(
    ("lost", "seconds", "gone"),
    [([], 0.0, []), ([10], 0.0, [10]), ([8, 9, 10], 2.0, []), ([7, 8, 9, 10], 2.0, [7]), ([1, 10], 2.0, [1])],
)
def test_a_lost_row_is_declared_or_it_is_a_violation(lost: list[int], seconds: float, gone: list[int]) -> None:
    assert undeclared(ROWS, lost, seconds) == gone


def test_clocks_that_differ_by_moments_make_no_violation_of_a_declared_loss() -> None:
    assert undeclared([(1, 1.0), (2, 1.3), (3, 5.0)], [1, 2], 0.1) == []
    assert undeclared([(1, 1.0), (2, 1.7), (3, 5.0)], [1, 2], 0.1) == [1]


@pytest.mark.parametrize(
    ("service", "seconds"),
    [
        ({"rpo": {"measured_seconds": None}, "waivers": [], "evidence": []}, 0.0),
        ({"rpo": {"measured_seconds": 2.5}, "waivers": [], "evidence": ["possible loss: at most 1.0 s (from x)"]}, 2.5),
        ({"rpo": None, "waivers": [], "evidence": [{"text": "possible loss: at most 7.5 s (from x)"}]}, 7.5),
        ({"rpo": None, "waivers": [], "evidence": ["possible loss: unknown (from x)"]}, 0.0),
        ({"rpo": None, "waivers": [{"rule": "hold_off"}], "evidence": []}, 0.0),
        ({"rpo": None, "waivers": [{"rule": "lag_unknown"}], "evidence": []}, float("inf")),
    ],
)
def test_what_a_report_declares(service: dict[str, object], seconds: float) -> None:
    assert declared(service) == seconds


def test_a_secret_is_found_in_each_of_its_forms_and_named_without_being_shown(tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "canary").write_text("pass/word==", encoding="utf-8")
    key = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk\n-----END OPENSSH PRIVATE KEY-----\n"
    (tmp_path / "id_ed25519").write_text(key, encoding="utf-8")
    secrets = secrets_of(tmp_path)
    for text in ("x pass/word== y", "pass%2Fword%3D%3D", "cGFzcy93b3JkPT0="):
        assert leaks({"here": text}, secrets) == ["the secret canary stands in here"]
    assert leaks({"here": "b3BlbnNzaC1rZXk"}, secrets) == ["the secret id_ed25519 stands in here"]
    assert leaks({"here": "-----BEGIN OPENSSH PRIVATE KEY----- pass word"}, secrets) == []


def test_the_password_of_the_fence_device_is_searched_too(tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "id_ed25519").write_text("b3BlbnNzaC1rZXk", encoding="utf-8")
    plans = (CHECKOUT / "tests" / "lab" / "verbs" / "test_fencing.py").read_text(encoding="utf-8")
    assert f"password: {FENCE_PASSWORD}" in plans
    assert leaks({"log": f"password={FENCE_PASSWORD}"}, secrets_of(tmp_path)) == ["the secret fence stands in log"]


def test_every_row_of_the_catalogue_can_be_tried_or_names_what_is_missing() -> None:
    faults, controls = catalogue.read(), catalogue.read("controls")
    assert [fault.id for fault in faults] == [f"F{number:02}" for number in range(1, 57)]
    assert len(controls) == 4
    assert any(fault.core for fault in faults)
    for fault in faults:
        for node in fault.nodes:
            file, _colon, test = node.partition("::")
            source = (CHECKOUT / "tests" / "lab" / "verbs" / file).read_text(encoding="utf-8")
            assert f"def {test}(" in source, node


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"missing": "both"}, "exactly one of"),
        ({"procedure": None}, "exactly one of"),
        ({"verbs": "x"}, "unknown verbs"),
    ],
)
def test_a_wrong_row_is_refused(change: dict[str, str | None], told: str) -> None:
    row = {"id": "F99", "title": "t", "verb": "v", "injected": "i", "expected": "e", "procedure": "primary.frozen"}
    assert catalogue.fault(row).id == "F99"
    with pytest.raises(ValueError, match=told):
        catalogue.fault({**row, **change})


def entry(name: str, result: str, seen: str = "seen") -> dict[str, str]:
    return {"id": name, "result": result, "seen": seen, "commit": "abc"}


def test_results_are_kept_by_id_and_failures_are_told(tmp_path: Path) -> None:
    path = tmp_path / "build" / "faults.json"
    results.add_faults([entry("F02", "failed", "two writers"), entry("F01", "passed")], 1, path)
    results.add_faults([entry("F02", "refused_as_expected")], 2, path)
    results.add_faults([entry("control-x", "failed", "it passed")], 2, path, part="controls")
    results.add_kill_points(3, ["failover:2: names"], 5, path)
    kept = results.add_schedules(20, [], 5, path)
    assert [(one["id"], one["result"]) for one in kept["faults"]] == [("F01", "passed"), ("F02", "refused_as_expected")]
    assert (kept["kill_points"], kept["schedules"], kept["seed"]) == (3, 20, 5)
    assert results.failures(kept) == ["control-x: it passed", "failover:2: names"]
    assert json.loads(path.read_text(encoding="utf-8")) == kept
    with pytest.raises(ValueError, match="'good' is none of passed"):
        results.add_faults([entry("F03", "good")], 1, path)


def test_a_new_checkout_goes_on_from_what_was_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "PATH", tmp_path / "faults.json")
    monkeypatch.setattr(results, "PUBLISHED", tmp_path / "results.json")
    assert results.read()["faults"] == []
    results.add_faults([entry("F01", "passed")], 1)
    results.publish()
    results.PATH.unlink()
    results.add_faults([entry("F02", "passed")], 1)
    assert [one["id"] for one in results.read()["faults"]] == ["F01", "F02"]
    assert [one["id"] for one in results.read(results.PUBLISHED)["faults"]] == ["F01"]


def test_the_page_is_that_of_what_was_published() -> None:
    text = page.render(results.read(results.PUBLISHED), catalogue.read(), catalogue.read("controls"))
    assert page.PAGE.read_text(encoding="utf-8") == text, "python -m tests.faults --page"


def test_the_page_tells_every_fault_also_those_that_were_not_tried() -> None:
    faults = catalogue.read()
    kept = {"faults": [entry("F01", "passed"), entry("F02", "failed", "a | b\nc")], "controls": [], "seed": 7}
    text = page.render(kept, faults, catalogue.read("controls"))
    lines = {line.split(" | ")[0].strip("| "): line for line in text.splitlines() if line.startswith("| F")}
    assert sorted(lines) == [fault.id for fault in faults]
    assert "| passed | seen | abc |" in lines["F01"]
    assert "| **failed** | a / b c | abc |" in lines["F02"]
    assert "| not tried |" in lines["F03"]
    assert f"1 passed, 1 failed, {len(faults) - 2} not tried; commit abc, seed 7." in text
    assert all(len(line.split(" | ")) == 7 for line in lines.values())


def test_the_page_names_the_commit_of_each_row_and_at_its_top_how_many_there_are() -> None:
    faults = catalogue.read()
    rows = [
        {**entry("F01", "passed"), "commit": "older", "when": "2026-11-22T10:00:00+00:00"},
        {**entry("F02", "passed"), "commit": "newer", "when": "2026-11-23T10:00:00+00:00"},
        {**entry("F03", "passed"), "commit": "undated"},
    ]
    text = page.render({"faults": rows, "controls": [], "seed": 7}, faults, catalogue.read("controls"))
    top = text.partition("## Faults")[0]
    assert "not tried; 3 commits, the newest newer, seed 7." in top and "older" not in top
    for number, commit in enumerate(("older", "newer", "undated"), 1):
        assert next(line for line in text.splitlines() if line.startswith(f"| F0{number}")).endswith(f"| {commit} |")


def test_a_row_without_a_second_run_says_why_on_the_page() -> None:
    every = [*catalogue.read(), *catalogue.read("controls")]
    once = {fault.id: fault.once for fault in every if fault.once}
    assert set(once) == {"F27", "control-promotion", "control-fence"}
    text = page.render({"faults": [], "controls": []}, catalogue.read(), catalogue.read("controls"))
    assert all(f"- {name}: {why}." in text for name, why in once.items())
