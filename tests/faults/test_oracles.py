# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Every oracle is seen to fire on a violation that is planted in the lab, and none fires where nothing is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import harness
import names
import pytest
from harness import Result, inside
from say import wait

from tests.faults.leaks import secrets_of
from tests.faults.oracles import Watch, watching

SERVICE, UNIT = "accounts-db", "postgresql@15-accounts"
RECORD = "accounts-db.shop.example."
PORTS = {"db1": 5433, "db2": 5434}
MOVE = ("scope=accounts-db", "target_site=dc2")
PROMOTE = "cd / && runuser -u postgres -- /usr/lib/postgresql/15/bin/pg_ctl -D /srv/postgresql/accounts promote -w"


@pytest.fixture
def healthy() -> Iterator[None]:
    """The lab at its start."""
    harness.lab("reset")
    yield


def fired(watch: Watch) -> set[str]:
    """The oracles that found something."""
    return {violation.oracle for violation in watch.violations}


def told(watch: Watch, oracle: str) -> str:
    """What one of them found."""
    return "\n".join(violation.text for violation in watch.violations if violation.oracle == oracle)


def test_nothing_fires_where_nothing_is_wrong(healthy: None, tmp_path: Path) -> None:
    with watching(SERVICE, place=tmp_path) as watch:
        result = watch.verb("switchover", *MOVE)
        assert result.rc == 0, result.output
        watch.rerun()
        watch.wait_rows(5)
    assert watch.violations == []
    assert watch.seen["asked_for_writes"] > 100
    assert watch.seen["asked_for_names"] > 500
    assert watch.seen["acknowledged"] > 20
    assert watch.seen["searched"] > 5


def test_a_second_writer_is_seen(healthy: None, tmp_path: Path) -> None:
    with watching(SERVICE, place=tmp_path) as watch:
        inside("db2", PROMOTE)
        wait("both take writes", lambda: harness.writable(PORTS, "accounts") == ["db1", "db2"], 20)
        watch.wait_rows(10)
    assert "db1 and db2 took writes at once" in told(watch, "writer")


def test_a_writer_that_was_frozen_is_none_and_one_that_goes_on_is(healthy: None, tmp_path: Path) -> None:
    """db1 is frozen while db2 is promoted, and thawed: from then on there are two."""
    with watching(SERVICE, place=tmp_path) as watch:
        harness.lab("fault", "member_paused", "--member", "db1")
        inside("db2", PROMOTE)
        harness.set_record(SERVICE, "203.0.113.11")
        watch.wait_rows(20)
        alone = watch.writers.violations()
        harness.lab("heal", "member_paused", "--member", "db1")
        wait("db1 takes writes", lambda: harness.writable(PORTS, "accounts") == ["db1", "db2"], 20)
        watch.wait_rows(10)
    assert alone == []
    assert "db1 and db2 took writes at once" in told(watch, "writer")


def test_a_name_without_an_address_is_seen(healthy: None, tmp_path: Path) -> None:
    key = (harness.CHECKOUT / "build" / "lab" / "secrets" / "tsig_continuity").read_text(encoding="utf-8")
    update = [
        "server 127.0.0.1",
        f"key hmac-sha256:continuity {key}",
        "zone shop.example.",
        f"update delete {RECORD} A",
        "send",
    ]
    with watching(SERVICE, place=tmp_path) as watch:
        inside("ns0", "nsupdate <<'END'\n" + "\n".join(update) + "\nEND")
        wait("the servers follow", lambda: all(names.ask(server, RECORD, "A") == "-" for server in names.SERVERS), 20)
        harness.set_record(SERVICE, "198.51.100.11")
    assert fired(watch) == {"names"}
    for server in names.SERVERS:
        assert f"{server} answers NXDOMAIN for {RECORD}" in told(watch, "names")


def test_a_server_that_is_silent_is_listed_and_no_violation(healthy: None, tmp_path: Path) -> None:
    with watching(SERVICE, place=tmp_path) as watch:
        harness.lab("fault", "member_killed", "--member", "ns2")
        watch.wait_rows(20)
    assert watch.violations == []
    assert watch.seen["silent_servers"] == ["ns2"]


def test_a_lost_row_is_seen_and_a_declared_one_is_not(healthy: None, tmp_path: Path) -> None:
    gone = "delete from continuity_canary where seq = (select max(seq) - 5 from continuity_canary)"
    declared = {"service": SERVICE, "rpo": {"measured_seconds": 60.0}, "waivers": [], "evidence": []}
    old = "delete from continuity_canary where seq = 2"
    with watching(SERVICE, place=tmp_path / "lost") as watch:
        watch.wait_rows(40)
        harness.sql("db1", 5433, old, "accounts")
    assert fired(watch) == {"ledger"}
    assert "1 acknowledged rows are gone that no report declares, [2]" in told(watch, "ledger")
    with watching(SERVICE, place=tmp_path / "declared") as watch:
        watch.wait_rows(20)
        harness.sql("db1", 5433, gone, "accounts")
        watch.reports.append({"services": [declared]})
    assert watch.violations == []


def test_no_primary_at_the_end_is_no_proof(healthy: None, tmp_path: Path) -> None:
    with watching(SERVICE, place=tmp_path) as watch:
        inside("db1", f"systemctl stop {UNIT}")
    assert "there is no one primary at the end" in told(watch, "ledger")


@pytest.mark.parametrize("name", ["canary", "replicator", "tsig_continuity", "id_ed25519"])
def test_a_secret_is_seen_in_an_output_and_in_a_file(healthy: None, tmp_path: Path, name: str) -> None:
    secret = secrets_of()[name][0]
    with watching(SERVICE, place=tmp_path) as watch:
        watch.hear("a verb", f"some words, {secret}, and more")
        (watch.runs / "one" / "journal").mkdir(parents=True)
        (watch.runs / "one" / "journal" / "accounts-db.jsonl").write_text(f'{{"data": "{secret}"}}', encoding="utf-8")
    assert fired(watch) == {"secret"}
    assert f"the secret {name} stands in what a verb said" in told(watch, "secret")
    assert f"the secret {name} stands in one/journal/accounts-db.jsonl" in told(watch, "secret")
    assert secret not in str(watch.violations)


def test_a_second_run_that_changes_something_is_seen(healthy: None, tmp_path: Path) -> None:
    with watching(SERVICE, place=tmp_path) as watch:
        assert watch.verb("switchover", *MOVE).rc == 0
        harness.set_record(SERVICE, "198.51.100.11")
        watch.rerun()
        watch.wait_rows(5)
    assert fired(watch) == {"rerun"}
    assert "1 tasks changed something in a second run" in told(watch, "rerun")
    assert f"services/{SERVICE}/names" in told(watch, "rerun")


def test_a_change_that_a_run_does_not_own_up_to_is_seen(healthy: None, tmp_path: Path) -> None:
    def secretly() -> Result:
        harness.sql("db2", 5434, "select pg_wal_replay_pause()")
        return Result(0, "db2 : ok=1 changed=0 unreachable=0 failed=0", 0.0)

    with watching(SERVICE, place=tmp_path) as watch:
        watch._again = secretly
        watch.rerun()
    assert fired(watch) == {"rerun"}
    assert "replay paused" in told(watch, "rerun")
