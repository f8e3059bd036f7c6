# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""An oracle that saw nothing has proven nothing: silence is a violation, or it is said that nobody judged."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dns.exception
import dns.message
import dns.query
import harness
import pytest
from harness import Result

from tests.faults import answers, ledger, plugin, runner, trial
from tests.faults.answers import ALL_IN_VAIN, Answers
from tests.faults.catalogue import Fault
from tests.faults.ledger import Ledger
from tests.faults.oracles import NUMBERS, by_chance, differs, unjudged
from tests.faults.power import times_off
from tests.faults.writers import Answer, Spell, Writers, hidden, silences, without

SERVERS, RECORDS = ("ns0", "ns1", "ns2"), ("a.example.", "b.example.")


def asked_all(found: Answers, problem: str | None, servers: tuple[str, ...] = SERVERS) -> None:
    for server in servers:
        for record in RECORDS:
            found.note(server, record, problem)


def test_names_are_watched_when_every_server_has_answered_for_every_record() -> None:
    found = Answers(SERVERS, RECORDS)
    asked_all(found, None)
    assert not found.complete(), "a question without an answer is no answer"
    asked_all(found, "", SERVERS[:2])
    found.note("ns2", "a.example.", "")
    assert not found.complete()
    found.note("ns2", "b.example.", "NXDOMAIN")
    assert found.complete()
    assert found.count() == 6


def test_a_server_that_never_answered_is_a_violation_and_one_that_is_silent_later_is_listed() -> None:
    found = Answers(SERVERS, RECORDS)
    asked_all(found, "", SERVERS[:2])
    asked_all(found, None, SERVERS[2:])
    never = [f"ns2 never answered for {record}" for record in RECORDS]
    assert found.violations() == never
    asked_all(found, "", SERVERS[2:])
    assert (found.violations(), found.silent()) == ([], ["ns2"])


def test_silence_of_all_servers_is_a_violation_and_that_of_two_is_none() -> None:
    found = Answers(SERVERS, RECORDS[:1])
    for server in SERVERS:
        found.note(server, "a.example.", "")
    for _time in range(ALL_IN_VAIN * 3):
        for server in SERVERS[:2]:
            found.note(server, "a.example.", None)
    for _time in range(ALL_IN_VAIN - 1):
        found.note("ns2", "a.example.", None)
    found.note("ns2", "a.example.", "")
    assert found.violations() == []
    for _time in range(ALL_IN_VAIN):
        for server in SERVERS:
            found.note(server, "a.example.", None)
    expected = [f"no server answered for a.example.: each was asked {ALL_IN_VAIN} times in vain"]
    assert found.violations() == expected
    found.note("ns0", "a.example.", "")
    assert found.violations() == expected, "it stays one when they answer again"


def test_who_asks_nobody_sees_nothing() -> None:
    assert not Answers(SERVERS, ()).complete()
    assert Answers(SERVERS, ()).violations() == ["no server was asked for anything"]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (dns.exception.Timeout(), None),
        (OSError("no route"), None),
        (dns.message.ShortHeader(), "what nobody can read (ShortHeader)"),
    ],
)
def test_an_answer_that_cannot_be_read_is_wrong_and_no_silence(
    monkeypatch: pytest.MonkeyPatch, error: Exception, said: str | None
) -> None:
    def udp(*_words: Any, **_more: Any) -> None:
        raise error

    monkeypatch.setattr(dns.query, "udp", udp)
    assert answers.asked("198.51.100.53", "a.example.") == said


def test_a_poll_that_ended_by_itself_is_a_violation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers.Names, "_poll", lambda *_words: None)
    watched = answers.Names(["accounts-db"])
    watched.start()
    for thread in watched._threads.values():
        thread.join()
    watched.stop()
    assert "the poll of ns1 ended by itself" in watched.violations()


YES, NO = "accounts-db {0} writes {0}", "accounts-db {0} ERROR:  cannot execute DELETE in a read-only transaction"
GONE = (
    'accounts-db {0} psql: error: connection to server on socket "/run/.s.PGSQL.5433" failed: No such file or directory'
)
WRONG = 'accounts-db {0} psql: error: FATAL:  role "postgres" does not exist'


def heard(
    lines: dict[str, list[str]], end: float = 0.0, off: dict[str, list[tuple[float, float]]] | None = None
) -> Any:
    """Writers of accounts-db that heard these lines of each member."""
    watched: Any = Writers(["accounts-db"])
    for member, said in lines.items():
        for line in said:
            watched._note(member, line)
    watched._ended = end
    watched._power = SimpleNamespace(off=lambda container: (off or {}).get(container.rpartition("-")[2], []))
    return watched


def every(line: str, begin: float, end: float) -> list[str]:
    """A line ten times a second."""
    return [line.format(f"{begin + n / 10:.1f}") for n in range(round((end - begin) * 10) + 1)]


@pytest.mark.parametrize(("line", "is_one"), [(YES, True), (NO, True), (GONE, True), (WRONG, False)])
def test_only_a_yes_and_a_no_are_answers(line: str, is_one: bool) -> None:
    watched = heard({"db1": every(YES, 1, 2), "db2": every(line, 1, 2)})
    assert watched.begun() is is_one
    never = ["accounts-db: db2 was never heard, so nobody knows whether it took writes"]
    if line != YES:
        assert watched.violations() == ([] if is_one else never)
    assert sum(watched.not_understood().values()) == (0 if is_one else 11)


def test_a_time_in_which_a_second_writer_could_hide_is_not_judged() -> None:
    lines = {"db1": every(YES, 0, 10), "db2": every(NO, 0, 3) + every(WRONG, 3.1, 6.9) + every(NO, 7, 10)}
    assert heard(lines, 10.0).not_judged() == {"accounts-db on db2": 4.0}
    lines["db2"] = every(NO, 0, 10)
    assert heard(lines, 10.0).not_judged() == {}


def test_the_end_of_a_poll_is_not_judged_either() -> None:
    assert heard({"db1": every(YES, 0, 9), "db2": every(NO, 0, 5)}, 9.0).not_judged() == {"accounts-db on db2": 4.0}


def test_what_docker_says_was_off_or_frozen_took_no_writes() -> None:
    lines = {"db1": every(NO, 0, 2), "db2": every(YES, 0, 10)}
    assert heard(lines, 10.0).not_judged() == {"accounts-db on db1": 8.0}
    assert heard(lines, 10.0, {"db1": [(2.2, float("inf"))]}).not_judged() == {}
    assert heard(lines, 10.0, {"db1": [(2.2, 6.0)]}).not_judged() == {"accounts-db on db1": 4.0}


def test_where_one_member_alone_is_in_doubt_there_is_at_most_one_writer() -> None:
    silence = [(2.0, 6.0)]
    assert hidden({"db1": (silence, []), "db2": ([], [])}) == {}
    assert hidden({"db1": (silence, []), "db2": ([], [Spell("db2", 7.0, 9.0)])}) == {}
    assert hidden({"db1": (silence, []), "db2": ([], [Spell("db2", 4.0, 9.0)])}) == {"db1": 2.5}
    assert hidden({"db1": (silence, []), "db2": ([(3.0, 9.0)], [])}) == {"db1": 3.0, "db2": 3.0}


def test_moments_between_two_answers_are_no_silence() -> None:
    assert silences([Answer("db1", 1.0), Answer("db1", 1.5), Answer("db1", 2.2)], 2.3) == [(1.5, 2.2)]
    assert without([(1.0, 4.0)], [(1.3, 3.7)]) == []


def test_docker_tells_when_a_machine_did_not_run() -> None:
    def event(action: str, second: float, name: str = "db1") -> dict[str, Any]:
        return {"Action": action, "timeNano": int(second * 1e9), "Actor": {"Attributes": {"name": name}}}

    events = [event("pause", 1), event("die", 2), event("unpause", 2, "db2"), event("start", 5), event("die", 7)]
    assert times_off(events, "db1") == [(1.0, 5.0), (7.0, float("inf"))]
    assert times_off(events, "db2") == []


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A ledger whose client is another program, and which lost nothing."""

    def make(program: str, rows: int = 3) -> Ledger:
        made = Ledger("accounts-db", "run", tmp_path)
        lines = [f'{{"seq": {n}, "outcome": "acknowledged", "time": {n}.0}}' for n in range(rows)]
        made._path.write_text("\n".join(lines), encoding="utf-8")
        made._process = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, text=True)
        return made

    monkeypatch.setattr(Ledger, "lost", lambda _self: [])
    return make


WAITS = "import sys; sys.stdin.read()"


def test_a_client_that_lives_to_the_end_is_fine(client: Any) -> None:
    made = client(WAITS)
    made.stop()
    assert made.violations([]) == []


def test_a_client_that_died_unnoticed_is_a_violation(client: Any) -> None:
    made = client("raise SystemExit(3)")
    made._process.wait()
    made.stop()
    (said,) = made.violations([])
    assert said.startswith("accounts-db: its client ended by itself, with 3: nobody knows")


def test_a_client_that_ends_badly_is_a_violation(client: Any) -> None:
    made = client(f"{WAITS}; raise SystemExit(4)")
    made.stop()
    assert "its client ended with 4" in made.violations([])[0]


def test_a_client_that_hung_is_a_violation(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    made = client(WAITS)
    now = time.time() + ledger.HUNG_SECONDS + 1
    monkeypatch.setattr(ledger.time, "time", lambda: now)
    made.stop()
    assert "wrote nothing down for more than 30 s" in made.violations([])[0]


@pytest.mark.parametrize(
    ("verdict", "excused"), [("passed", True), ("failed", True), ("degraded", True), ("refused", False)]
)
def test_only_a_run_that_moved_the_service_may_have_declared_a_loss(
    client: Any, monkeypatch: pytest.MonkeyPatch, verdict: str, excused: bool
) -> None:
    """A refused one lists what it was to be allowed as well: that excuses nothing."""
    made = client(WAITS)
    made.stop()
    monkeypatch.setattr(Ledger, "lost", lambda _self: [1])
    part = {"service": "accounts-db", "verdict": verdict, "waivers": [{"rule": "lag_unknown"}], "evidence": []}
    said = made.violations([{"services": [{**part, "rpo": None}]}])
    assert (said == []) is excused
    assert excused or "1 acknowledged rows are gone that no report declares" in said[0]


def test_a_ledger_without_a_row_proves_nothing(client: Any) -> None:
    made = client(WAITS, rows=0)
    made.stop()
    assert made.violations([]) == ["accounts-db: nothing was acknowledged, so nothing could have been lost"]


def test_a_client_that_was_never_started_is_a_violation(tmp_path: Path) -> None:
    made = Ledger("accounts-db", "run", tmp_path)
    made.stop()
    assert "its client was never started" in made.violations([])[0]


WHOLE: dict[str, Any] = {**dict.fromkeys(NUMBERS, 1), "not_judged": {}}


@pytest.mark.parametrize("number", NUMBERS)
def test_an_oracle_that_counted_nothing_has_judged_nothing(number: str) -> None:
    assert unjudged(WHOLE) == []
    assert unjudged({**WHOLE, number: 0}) == [NUMBERS[number]]
    assert unjudged({}) == list(NUMBERS.values())


def test_a_member_that_was_not_heard_for_seconds_is_told() -> None:
    seen = {**WHOLE, "not_judged": {"accounts-db on db1": 1.9, "accounts-db on db2": 2.1}}
    told = ["not judged: accounts-db on db2 was not heard for 2.1 s"]
    assert unjudged(seen) == told
    assert by_chance(told) and not by_chance([]) and not by_chance([*told, "writer: two at once"])


def test_a_violation_counts_more_than_what_nobody_judged() -> None:
    blind = {**WHOLE, "not_judged": {"accounts-db on db2": 2.1}}
    found = [{"oracle": "writer", "text": "two"}]
    assert trial.judged("passed", "well", [], WHOLE) == ("passed", "well")
    assert trial.judged("passed", "well", [], blind)[0] == "not_judged"
    assert trial.judged("passed", "well", found, blind) == ("failed", "writer: two")


@pytest.mark.parametrize(
    ("results", "kept"), [(["passed"], "passed"), (["not_judged", "passed"], "passed"), (["not_judged"] * 2, "failed")]
)
def test_what_was_not_judged_is_tried_once_more_and_then_has_failed(
    monkeypatch: pytest.MonkeyPatch, results: list[str], kept: str
) -> None:
    left = iter(results)
    monkeypatch.setattr(runner, "_told", lambda _fault, _seed: (next(left), "seen", {}))
    assert runner.run(Fault("F99", "t", "v", "i", "e"), 1)["result"] == kept
    assert list(left) == []


def recap(*changed: int) -> str:
    return "\n".join(f"db{n} : ok=4 changed={each} unreachable=0 failed=0" for n, each in enumerate(changed, 1))


@pytest.mark.parametrize(
    ("first", "again", "expected", "wrong"),
    [
        (Result(0, recap(3, 1), 0), Result(0, recap(0, 0), 0), 0, []),
        (Result(2, recap(0, 0), 0), Result(2, recap(0, 0), 0), 2, []),
        (Result(4, "ERROR: the plan", 0), Result(4, "ERROR: the plan", 0), 4, []),
        (Result(2, recap(0), 0), Result(4, recap(0), 0), 2, ["ended with 4, expected was 2"]),
        (Result(0, recap(3), 0), Result(2, recap(0), 0), 0, ["ended with 2, expected was 0"]),
        (Result(2, recap(1), 0), Result(0, recap(0), 0), 0, []),
        (Result(0, recap(3, 1), 0), Result(0, recap(0, 2), 0), 0, ["2 tasks changed something on db2"]),
        (Result(0, recap(3, 1), 0), Result(0, "Traceback", 0), 0, ["told nothing of any host"]),
    ],
)
def test_a_second_run_ends_as_expected_and_changes_nothing_on_any_host(
    first: Result, again: Result, expected: int, wrong: list[str]
) -> None:
    found = differs(first, again, expected)
    assert len(found) == len(wrong)
    assert all(text in said for text, said in zip(wrong, found, strict=True)), found


def test_a_look_at_the_lab_that_broke_off_without_a_word_is_a_difference(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for code, expected in ((0, ""), (-9, "nobody looked: it ended with -9")):
        done = subprocess.CompletedProcess("state.py", code, "", "")
        monkeypatch.setattr(harness.subprocess, "run", lambda *_words, done=done, **_more: done)
        assert harness.differences(tmp_path) == expected


def test_a_run_that_had_a_name_is_repeated_under_another() -> None:
    words = ["ansible-playbook", "x", "-e", "continuity_run_id=killed-1", "-e", "scope=payments"]
    again = plugin.renamed(words)
    assert again[3].startswith("continuity_run_id=again-") and [*again[:3], *again[4:]] == [*words[:3], *words[4:]]
