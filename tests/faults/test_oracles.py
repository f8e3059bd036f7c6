# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Every oracle is seen to fire for every service on a violation that is planted in the lab, and none for nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import harness
import names
import pytest
from harness import Result, inside
from say import wait
from topology import CLUSTERS, machine

from tests.faults.leaks import secrets_of
from tests.faults.oracles import ORACLES, Watch, unjudged, watching

SERVICES = tuple(one.service for one in CLUSTERS)
MOVE = ("scope=all", "target_site=dc2")
QUIET = Result(0, "db2 : ok=1 changed=0 unreachable=0 failed=0", 0.0)


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


def promote() -> None:
    """db2 becomes a primary of every service, db1 stays one. Nobody waits for a standby that is none any more."""
    for one in CLUSTERS:
        if one.synchronous:
            harness.sql("db1", one.ports["db1"], "alter system set synchronous_standby_names = ''")
            harness.sql("db1", one.ports["db1"], "select pg_reload_conf()")
        place = one.data_directories["db2"]
        inside("db2", f"cd / && runuser -u postgres -- /usr/lib/postgresql/15/bin/pg_ctl -D {place} promote -w")


def two_writers(watch: Watch) -> bool:
    """Whether every service was seen with two."""
    said = "\n".join(watch.writers.violations())
    return all(f"{service}: db1 and db2 took writes at once" in said for service in SERVICES)


def without_addresses() -> None:
    """The records of all services are gone for a moment, at every server."""
    key = (harness.CHECKOUT / "build" / "lab" / "secrets" / "tsig_continuity").read_text(encoding="utf-8").strip()
    lines = ["server 127.0.0.1", f"key hmac-sha256:continuity {key}", "zone shop.example."]
    lines += [f"update delete {one.record} A" for one in CLUSTERS]
    inside("ns0", "nsupdate <<'END'\n" + "\n".join([*lines, "send"]) + "\nEND")
    pairs = [(server, one.record) for server in names.SERVERS for one in CLUSTERS]
    wait("the servers follow", lambda: all(names.ask(*pair, "A") == "-" for pair in pairs), 20)
    sent_to("db1")


def delete_rows(which: str) -> None:
    """Rows of the clients are gone from the primary of every service."""
    for one in CLUSTERS:
        harness.sql("db1", one.ports["db1"], f"delete from continuity_canary where {which}", one.database)


def sent_to(member: str) -> None:
    """The clients of every service are sent there."""
    for service in SERVICES:
        harness.set_record(service, machine(member).address)


def secretly() -> Result:
    """A run that says it changed nothing."""
    sent_to("db2")
    return QUIET


@pytest.mark.core
def test_every_oracle_fires_for_every_service(healthy: None, tmp_path: Path) -> None:
    secret = secrets_of()["canary"][0]
    with watching(*SERVICES, place=tmp_path) as watch:
        watch.wait_rows(20)
        delete_rows("seq = 2")
        without_addresses()
        watch.hear("a verb", f"some words, {secret}, and more")
        watch.repeat(QUIET, secretly)
        watch.rerun()
        sent_to("db1")
        promote()
        wait("two of each are seen", lambda: two_writers(watch), 20)
        for one in CLUSTERS:
            inside("db2", f"systemctl stop {one.unit}")
        watch.wait_rows(5)
    assert fired(watch) == set(ORACLES)
    assert two_writers(watch)
    assert all(
        f"{server} answers NXDOMAIN for {one.record}" in told(watch, "names")
        for server in names.SERVERS
        for one in CLUSTERS
    )
    assert all(f"{service}: 1 acknowledged rows are gone" in told(watch, "ledger") for service in SERVICES)
    assert "the secret canary stands in what a verb said" in told(watch, "secret")
    assert secret not in str(watch.violations)
    assert all(f"services/{service}/names" in told(watch, "rerun") for service in SERVICES)


def test_nothing_fires_where_nothing_is_wrong(healthy: None, tmp_path: Path) -> None:
    with watching(*SERVICES, place=tmp_path) as watch:
        result = watch.verb("switchover", *MOVE)
        assert result.rc == 0, result.output
        watch.rerun()
        watch.wait_rows(5)
    assert watch.violations == []
    assert unjudged(watch.seen) == []
    assert watch.seen["asked_for_writes"] > 200
    assert watch.seen["asked_for_names"] > 500
    assert watch.seen["acknowledged"] > 20
    assert watch.seen["searched"] > 5


def test_a_writer_that_was_frozen_is_none_and_one_that_goes_on_is(healthy: None, tmp_path: Path) -> None:
    """db1 is frozen while db2 is promoted, and thawed: from then on there are two."""
    with watching(*SERVICES, place=tmp_path) as watch:
        harness.lab("fault", "member_paused", "--member", "db1")
        for one in CLUSTERS:
            place = one.data_directories["db2"]
            inside("db2", f"cd / && runuser -u postgres -- /usr/lib/postgresql/15/bin/pg_ctl -D {place} promote -w")
        sent_to("db2")
        watch.wait_rows(20)
        alone, unheard = watch.writers.violations(), watch.writers.not_judged()
        harness.lab("heal", "member_paused", "--member", "db1")
        wait("two of each are seen", lambda: two_writers(watch), 20)
    assert alone == []
    assert all(seconds < 2 for seconds in unheard.values()), f"Docker said that it was frozen: {unheard}"
    assert two_writers(watch)


def test_a_member_that_is_not_heard_is_not_judged(healthy: None, tmp_path: Path) -> None:
    """The loop in db2 is stopped, its servers run on: whether one of them took a write meanwhile nobody knows."""
    loops = "pkill -{} -u postgres -f continuity_canary"
    with watching(*SERVICES, place=tmp_path) as watch:
        inside("db2", loops.format("STOP"))
        watch.wait_rows(60)
        inside("db2", loops.format("CONT"))
        watch.wait_rows(5)
    said = "\n".join(unjudged(watch.seen))
    assert all(f"not judged: {service} on db2 was not heard" in said for service in SERVICES), watch.seen


def test_a_client_that_dies_is_seen(healthy: None, tmp_path: Path) -> None:
    with watching(*SERVICES, place=tmp_path) as watch:
        for ledger in watch.ledgers:
            assert ledger._process is not None
            ledger._process.kill()
            ledger._process.wait(20)
    assert fired(watch) == {"ledger"}
    assert all(f"{service}: its client ended by itself, with -9" in told(watch, "ledger") for service in SERVICES)


def test_a_server_that_is_silent_is_listed_and_three_are_a_violation(healthy: None, tmp_path: Path) -> None:
    with watching(*SERVICES, place=tmp_path) as watch:
        harness.lab("fault", "member_killed", "--member", "ns2")
        watch.wait_rows(20)
        alone, silent = watch.names.violations(), watch.names.silent()
        for server in ("ns0", "ns1"):
            inside(server, "systemctl stop named.service")
        wait("nobody answers", lambda: len(watch.names.violations()) == len(SERVICES), 30)
    assert (alone, silent) == ([], ["ns2"])
    assert fired(watch) == {"names"}


def test_a_lost_row_that_is_declared_is_none(healthy: None, tmp_path: Path) -> None:
    declared = [
        {"service": service, "rpo": {"measured_seconds": 60.0}, "waivers": [], "evidence": []} for service in SERVICES
    ]
    with watching(*SERVICES, place=tmp_path) as watch:
        watch.wait_rows(20)
        delete_rows("seq = (select max(seq) - 5 from continuity_canary)")
        watch.reports.append({"services": declared})
    assert watch.violations == []


def test_no_primary_at_the_end_is_no_proof(healthy: None, tmp_path: Path) -> None:
    with watching(*SERVICES, place=tmp_path) as watch:
        for one in CLUSTERS:
            inside("db1", f"systemctl stop {one.unit}")
    assert all(f"{service}: there is no one primary at the end" in told(watch, "ledger") for service in SERVICES)


def test_a_secret_is_seen_in_an_output_and_in_a_file(healthy: None, tmp_path: Path) -> None:
    known = {name: secrets_of()[name][0] for name in ("canary", "replicator", "tsig_continuity", "id_ed25519")}
    with watching(*SERVICES, place=tmp_path) as watch:
        (watch.runs / "one").mkdir(parents=True)
        for name, secret in known.items():
            watch.hear("a verb", f"some words, {secret}, and more")
            (watch.runs / "one" / f"{name}.jsonl").write_text(f'{{"data": "{secret}"}}', encoding="utf-8")
    assert fired(watch) == {"secret"}
    for name, secret in known.items():
        assert f"the secret {name} stands in what a verb said" in told(watch, "secret")
        assert f"the secret {name} stands in one/{name}.jsonl" in told(watch, "secret")
        assert secret not in str(watch.violations)


def test_a_second_run_that_changes_something_is_seen(healthy: None, tmp_path: Path) -> None:
    with watching(*SERVICES, place=tmp_path) as watch:
        assert watch.verb("switchover", *MOVE).rc == 0
        sent_to("db1")
        watch.rerun()
        watch.wait_rows(5)
    assert fired(watch) == {"rerun"}
    assert "changed something on" in told(watch, "rerun")
    assert all(f"services/{service}/names" in told(watch, "rerun") for service in SERVICES)
