# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The client against a real server that is killed, frozen, read-only, full, or gone."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import psycopg
import pytest

from ansible_collections.continuity.dr.plugins.plugin_utils.canary import control
from ansible_collections.continuity.dr.plugins.plugin_utils.canary.errors import CanaryError
from ansible_collections.continuity.dr.plugins.plugin_utils.canary.record import in_use, read
from ansible_collections.continuity.dr.plugins.plugin_utils.canary.tail import Tail
from ansible_collections.continuity.dr.plugins.plugin_utils.core.ledger import Row
from ansible_collections.continuity.dr.plugins.plugin_utils.process import is_running, mark_of


def wait_for(tail: Tail, what: str, seconds: float = 10.0) -> list[Row]:
    """New rows until one of them has this outcome or error class."""
    seen: list[Row] = []

    def there(rows: list[Row]) -> bool:
        seen.extend(rows)
        return any(what in (row.outcome, row.error_class, row.sqlstate) for row in rows)

    assert tail.wait(there, seconds), f"no row is {what}: {seen[-3:]}"
    return seen


def start(config, rows: int = 5) -> Tail:
    control.start(config, rows, 10.0)
    tail = Tail(config.ledger)
    tail.poll()
    return tail


def test_rows_are_written_acknowledged_and_named_after_their_server(server, config) -> None:
    one = config(rate=50.0)
    start(one, rows=25)
    result = control.stop(one.ledger)
    rows = read(one.ledger).rows
    assert [row.seq for row in rows] == list(range(1, len(rows) + 1))
    assert {row.outcome for row in rows} == {"acknowledged"}
    seen = {(row.server.address, row.server.port, row.server.system_id, row.server.timeline) for row in rows}
    assert seen == {("127.0.0.1", server.port, server.system_id(), 1)}
    table = server.sql("SELECT seq FROM continuity_canary WHERE run_id = 'run-1' ORDER BY seq")
    assert [seq for (seq,) in table] == [row.seq for row in rows]
    assert result["stopped_because"] == "sigterm" and result["acknowledged"] == len(rows)
    spent = (rows[-1].done_ns - rows[0].done_ns) / 1e9
    assert (len(rows) - 1) / spent == pytest.approx(50, rel=0.15), "it keeps to its rate"


def test_a_killed_server_leaves_refused_rows_and_the_client_comes_back_by_itself(server, config) -> None:
    tail = start(config())
    server.kill()
    wait_for(tail, "connect_refused")
    server.start()
    wait_for(tail, "acknowledged")
    time.sleep(0.2)
    control.stop(config().ledger)
    rows = read(config().ledger).rows
    acknowledged = {row.seq for row in rows if row.acknowledged}
    table = {seq for (seq,) in server.sql("SELECT seq FROM continuity_canary")}
    refused = {row.seq for row in rows if row.outcome == "refused"}
    assert refused and not refused & table, "refused means: certainly not there"
    assert acknowledged <= table, "a crash of the processes alone loses nothing that was acknowledged"
    assert sum(row.outcome == "in_doubt" for row in rows) <= 1, "one write at a time can be under way"


def test_a_read_only_server_refuses_and_is_never_overruled(server, config) -> None:
    tail = start(config())
    server.set("default_transaction_read_only", "on")
    refused = next(row for row in wait_for(tail, "25006") if not row.acknowledged)
    assert (refused.outcome, refused.error_class) == ("refused", "server_error")
    time.sleep(0.3)
    assert not any(row.acknowledged for row in tail.poll()[1:]), "it does not set the session writable"
    server.sql("ALTER SYSTEM RESET default_transaction_read_only; ")
    server.sql("SELECT pg_reload_conf()")
    wait_for(tail, "acknowledged")


def test_a_frozen_server_costs_one_bound_at_a_time(server, config) -> None:
    tail = start(config())
    server.signal(signal.SIGSTOP)
    frozen = time.monotonic()
    rows = wait_for(tail, "connect_timeout")
    assert time.monotonic() - frozen < 3.0
    first = next(row for row in rows if not row.acknowledged)
    assert (first.outcome, first.error_class) == ("in_doubt", "no_answer")
    assert max(row.done_ns - row.sent_ns for row in rows) < 1.3e9
    assert all(row.outcome == "refused" for row in rows if row.error_class == "connect_timeout")
    server.signal(signal.SIGCONT)
    wait_for(tail, "acknowledged", seconds=3.0)


def test_a_commit_that_waits_for_a_lost_standby_is_in_doubt_and_leaves_no_session_behind(server, config) -> None:
    one = config()
    tail = start(one)
    server.set("synchronous_standby_names", "nobody")
    for _attempt in range(3):
        wait_for(tail, "no_answer")
    time.sleep(0.3)
    waiting = server.sql("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'continuity_canary'")[0][0]
    assert waiting <= 2, "each unanswered write would keep a connection until none is left for anybody"
    server.set("synchronous_standby_names", "")
    wait_for(tail, "acknowledged")
    control.stop(one.ledger)
    in_doubt = {row.seq for row in read(one.ledger).rows if row.outcome == "in_doubt"}
    table = {seq for (seq,) in server.sql("SELECT seq FROM continuity_canary")}
    assert in_doubt & table, "such a row is committed here all the same: doubt is the only honest word"


def test_a_cancelled_wait_for_the_standby_is_not_an_acknowledgement(server, config) -> None:
    tail = start(config())
    server.set("synchronous_standby_names", "nobody")
    cancel = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
    deadline = time.monotonic() + 5
    while not server.sql(cancel):
        assert time.monotonic() < deadline
    row = wait_for(tail, "commit_warning")[-1]
    assert row.outcome == "in_doubt"
    assert "synchronous replication" in (row.message or "")


def test_a_session_that_the_server_ended_while_idle_costs_no_row(server, config) -> None:
    tail = start(config(rate=5.0), rows=2)
    terminate = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'continuity_canary'"
    for _time in range(3):
        assert server.sql(terminate)
        wait_for(tail, "acknowledged")
        time.sleep(0.05)
    assert {row.outcome for row in read(config().ledger).rows} == {"acknowledged"}


def test_a_write_that_waits_too_long_is_taken_back_and_one_that_is_cut_off_is_in_doubt(server, config) -> None:
    tail = start(config())
    with psycopg.connect(f"{server.dsn('postgres')}") as other:
        other.execute("LOCK TABLE continuity_canary IN ACCESS EXCLUSIVE MODE")
        late = wait_for(tail, "57014")[-1]
        assert (late.outcome, late.error_class) == ("refused", "server_error"), "the server rolled it back in time"
        waiting = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        deadline = time.monotonic() + 5
        while not server.sql(waiting):
            assert time.monotonic() < deadline
        cut = wait_for(tail, "57P01")[-1]
        assert (cut.outcome, cut.error_class) == ("in_doubt", "session_ended")
    wait_for(tail, "acknowledged")


def test_it_stops_when_the_watched_process_is_gone_even_as_a_zombie(config) -> None:
    with subprocess.Popen(["sleep", "60"]) as watched:
        one = config(watch_pid=watched.pid, watch_mark=mark_of(watched.pid))
        start(one)
        watched.kill()  # and not waited for: what is left of it still has its number
        deadline = time.monotonic() + 3
        while in_use(one.ledger):
            assert time.monotonic() < deadline, "it outlives its controller"
            time.sleep(0.02)
    assert read(one.ledger).ended[-1]["reason"] == "controller_gone"


def test_it_does_not_take_another_process_with_the_same_number_for_its_controller(config) -> None:
    with subprocess.Popen(["sleep", "60"]) as other:
        one = config(watch_pid=other.pid, watch_mark="1")
        with pytest.raises(CanaryError, match="controller_gone"):
            control.start(one, 5, 5.0)
        other.kill()


@pytest.mark.parametrize(("limits", "reason"), [({"max_rows": 7}, "max_rows"), ({"max_seconds": 0.5}, "max_seconds")])
def test_it_stops_at_its_limits(server, config, limits, reason) -> None:
    one = config(**limits)
    start(one, rows=3)
    deadline = time.monotonic() + 5
    while in_use(one.ledger):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert read(one.ledger).ended[-1]["reason"] == reason
    if "max_rows" in limits:
        assert server.sql("SELECT count(*) FROM continuity_canary") == [(7,)]


def test_the_row_cap_holds_over_a_restart_of_the_client(server, config) -> None:
    start(config(max_rows=7), rows=3)
    deadline = time.monotonic() + 5
    while in_use(config().ledger):
        assert time.monotonic() < deadline
    with pytest.raises(CanaryError, match="max_rows"):
        control.start(config(max_rows=7), 1, 3.0)
    assert server.sql("SELECT count(*) FROM continuity_canary") == [(7,)]


def test_a_stop_file_stops_it(config) -> None:
    one = config()
    tail = start(one)
    Path(one.stop_file).touch()
    assert not tail.wait(lambda _rows: False, 3.0)
    tail.poll()
    assert tail.ended is not None and tail.ended["reason"] == "stop_file"
    control.start(one, 1, 5.0)  # an old stop file does not keep the next one from starting


def test_it_survives_the_end_of_whoever_started_it(config) -> None:
    """Ansible's workers come and go; the client has a session and a parent of its own."""
    one = config()
    pid = control.start(one, 1, 10.0)["pid"]
    assert os.getsid(pid) == pid
    assert int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1]) != os.getpid()


def test_the_password_is_nowhere(server, config, tmp_path) -> None:
    (server.data / "pg_hba.conf").write_text("host all postgres all trust\nhost all all all scram-sha-256\n")
    server.sql("SELECT pg_reload_conf()")
    secret = "kept-from-everyone-41"
    one = config(password=secret)
    result = control.start(one, 5, 10.0)
    listing = subprocess.run(["ps", "axeww"], capture_output=True, text=True, check=True).stdout
    assert "canary/client.py" in listing and secret not in listing
    assert secret not in Path(f"/proc/{result['pid']}/environ").read_text()
    control.stop(one.ledger)
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert written and all(secret.encode() not in path.read_bytes() for path in written)
    assert secret not in repr(one)


def test_a_wrong_password_is_told_without_it_and_does_not_hammer_the_server(server, config) -> None:
    (server.data / "pg_hba.conf").write_text("host all postgres all trust\nhost all all all scram-sha-256\n")
    server.sql("SELECT pg_reload_conf()")
    with pytest.raises(CanaryError, match="password authentication failed") as failed:
        control.start(config(password="wrong-one-42"), 5, 1.5)
    assert failed.value.reason == "canary_cannot_write" and "wrong-one-42" not in str(failed.value)
    assert 2 <= len(read(config().ledger).rows) <= 8
    assert not in_use(config().ledger), "a canary that cannot write is not left running"


@pytest.mark.parametrize(
    ("statement", "sqlstate", "hint"),
    [
        ("DROP TABLE continuity_canary", "42P01", "set_up"),
        ("REVOKE INSERT ON continuity_canary FROM canary", "42501", "docs/canary.md"),
        ("ALTER ROLE canary SET default_transaction_read_only = on", "25006", "takes no writes"),
    ],
)
def test_a_canary_that_cannot_write_says_why(server, config, statement, sqlstate, hint) -> None:
    server.sql(statement)
    with pytest.raises(CanaryError, match=f"had 0 of 5 writes.*{sqlstate}.*{hint}"):
        control.start(config(), 5, 1.0)
    assert "continuity_canary" not in str(server.sql("SELECT tablename FROM pg_tables")) or sqlstate != "42P01"


def test_an_unreachable_server_is_told_as_such(config, server) -> None:
    server.stop()
    with pytest.raises(CanaryError, match="connect_refused at 127.0.0.1 port"):
        control.start(config(), 5, 1.0)


def test_a_second_start_leaves_the_first_client_alone(config) -> None:
    first = control.start(config(), 5, 10.0)
    second = control.start(config(), 5, 10.0)
    assert (first["changed"], second["changed"]) == (True, False)
    assert first["pid"] == second["pid"]


def test_a_running_client_that_cannot_write_any_more_is_noticed(server, config) -> None:
    tail = start(config())
    server.stop()
    wait_for(tail, "connect_refused")
    with pytest.raises(CanaryError, match="had 0 of 5 writes acknowledged within 0.5 s: connect_refused"):
        control.start(config(), 5, 0.5)
    assert in_use(config().ledger), "what somebody else has started goes on"
    assert control.start(config(), 0, 0.5)["changed"] is False, "a service that is down can still be watched"


def test_one_that_nobody_waits_for_begins_to_write_while_its_caller_goes_on(config) -> None:
    began = time.monotonic()
    result = control.start(config(), 0, 10.0)
    assert time.monotonic() - began < 0.15, "starting the interpreter alone takes longer"
    assert (result["changed"], result["acknowledged"]) == (True, 0)
    while not in_use(config().ledger):
        assert time.monotonic() < began + 10
    wait_for(Tail(config().ledger), "acknowledged")
    assert control.stop(config().ledger)["changed"]


def test_two_clients_cannot_write_one_ledger(config) -> None:
    one = config()
    start(one)
    with pytest.raises(CanaryError, match="another canary writes"):
        control._launch(one)


def test_after_a_kill_the_next_client_goes_on_with_higher_numbers(server, config) -> None:
    one = config()
    pid = control.start(one, 5, 10.0)["pid"]
    os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 5
    while in_use(one.ledger):
        assert time.monotonic() < deadline
    with open(one.ledger, "ab") as file:
        file.write(b'{"seq":99999,"outco')  # torn
    before = read(one.ledger)
    assert before.running is not None and before.torn == 1
    assert control.stop(one.ledger)["stopped_because"] == "killed"
    control.start(one, 5, 10.0)
    control.stop(one.ledger)
    after = read(one.ledger)
    assert after.rows[: len(before.rows)] == before.rows
    assert after.rows[len(before.rows)].seq == before.last_seq + 2
    assert {row.outcome for row in after.rows} == {"acknowledged"}, "no number is used twice"


def test_stopping_what_does_not_run_is_fine(config) -> None:
    result = control.stop(config().ledger)
    assert result["changed"] is False and result["stopped_because"] is None


def test_a_client_that_ignores_the_signal_is_stopped_all_the_same(config) -> None:
    one = config()
    pid = control.start(one, 5, 10.0)["pid"]
    os.kill(pid, signal.SIGSTOP)
    mark = mark_of(pid)
    assert control.stop(one.ledger, timeout=0.3)["changed"] is True
    assert not is_running(pid, mark or "?")


def test_a_hundred_writes_a_second_are_cheap(config) -> None:
    one = config(rate=100.0)
    start(one, rows=200)
    result = control.stop(one.ledger)
    # About 0.0003 s a row on the slowest machine this was measured on; ten times that is a mistake, not a slow machine.
    assert result["cpu_seconds"] / result["acknowledged"] < 0.003
