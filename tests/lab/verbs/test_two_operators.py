# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Two runs at once: who is second is refused, who was overtaken is refused, and never do two members take writes."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness import INVENTORY, RUNS, inside, journal, lab, run_verb, sql, start_verb, wait_for_step, writable

PORTS = {"db1": 5433, "db2": 5434}
MOVE = ("scope=accounts-db", "target_site=dc2")


class Watch:
    """Ask both members, again and again, whether they take writes; keep the worst that was seen."""

    def __init__(self) -> None:
        self.most: list[str] = []
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def _look(self) -> None:
        while not self._end.is_set():
            seen = writable(PORTS, "accounts")
            self.most = max(self.most, seen, key=len)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_unused: object) -> None:
        self._end.set()
        self._thread.join()


@contextmanager
def paused_after(run_id: str, step: str, *arguments: str, verb: str = "switchover") -> Iterator[subprocess.Popen[str]]:
    """A run that is stopped dead (SIGSTOP to all of it) once its journal has a step, and killed at the end."""
    process = start_verb(verb, *arguments, f"continuity_run_id={run_id}")
    try:
        wait_for_step(run_id, "accounts-db", step, "done", count=2 if step == "lease" else 1)
        os.killpg(process.pid, signal.SIGSTOP)
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGCONT)
            process.wait(120)


def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Let a paused run go on, to its end."""
    os.killpg(process.pid, signal.SIGCONT)
    output, _errors = process.communicate(timeout=120)
    return process.returncode, output


def expire(run_id: str) -> None:
    """Let time pass for a claim and its leases, by hand: what would take minutes."""
    claim = next(
        entry["data"]
        for entry in journal(run_id, "accounts-db")
        if (entry["step"], entry["state"]) == ("claim", "done")
    )
    past = re.sub(r"until=\S+", "until=2026-01-01T00:00:00Z", claim["guard"])
    key = (RUNS.parent / "lab" / "secrets" / "tsig_continuity").read_text(encoding="utf-8").strip()
    name = "_continuity.accounts-db.shop.example."
    lines = [
        f"key hmac-sha256:continuity {key}",
        "server 127.0.0.1",
        "zone shop.example.",
        f"update delete {name} TXT",
        f'update add {name} 5 TXT "{past}"',
        "send",
    ]
    inside("ns0", "nsupdate <<'END'\n" + "\n".join(lines) + "\nEND")
    for member in PORTS:
        inside(member, "f=/var/lib/continuity/accounts-db/lease; [ ! -e $f ] || sed -i 's/^until=.*/until=0/' $f")


def test_a_paused_run_that_wakes_up_is_refused_by_the_members(healthy: None) -> None:
    """It held claim and leases, slept, and another run took over: nothing it does may count any more."""
    run_id = f"sleeper-{time.time_ns()}"
    with Watch() as watch, paused_after(run_id, "lease", *MOVE) as sleeper:
        expire(run_id)
        other = run_verb("switchover", *MOVE)
        assert other.rc == 0, other.output
        rc, output = finish(sleeper)
    assert rc != 0
    ended = [entry for entry in journal(run_id, "accounts-db") if entry["state"] == "refused"]
    assert any(
        refusal["rule"] in ("stale_epoch", "lease_lost")
        for entry in ended
        for refusal in entry["data"].get("refusals", [])
    ), output
    assert len(watch.most) <= 1, watch.most
    assert writable(PORTS, "accounts") == ["db2"]


def test_a_paused_run_that_wakes_up_is_refused_by_the_name_server(healthy: None) -> None:
    """It was promoted already and slept before it moved the record; its guard is not the zone's any more.

    A failover: in a planned move the record is moved by what was armed before, at the moment of the promotion.
    """
    run_id = f"sleeper-{time.time_ns()}"
    assert run_verb("assess", "scope=accounts-db").rc == 0
    lab("fault", "primary_crashed", "--member", "db1", "--service", "accounts-db")
    with paused_after(run_id, "promote", *MOVE, verb="failover") as sleeper:
        expire(run_id)
        other = run_verb("failover", *MOVE)
        assert other.rc == 0, other.output
        rc, output = finish(sleeper)
    assert rc != 0
    steps = [(entry["step"], entry["state"]) for entry in journal(run_id, "accounts-db")]
    assert ("point", "refused") in steps or ("point", "failed") in steps, output
    assert writable(PORTS, "accounts") == ["db2"]
    assert inside("client", "dig +short accounts-db.shop.example.") == "203.0.113.11"


def blind_to(member: str, directory: Path) -> Path:
    """The lab's machines, one of them at an address where nobody answers."""
    directory.mkdir(parents=True)
    address, nobody = {"db1": ("198.51.100.11", "198.51.100.62"), "db2": ("203.0.113.11", "203.0.113.62")}[member]
    text = (
        (INVENTORY / "hosts.yml")
        .read_text(encoding="utf-8")
        .replace("{{ inventory_dir }}/../..", str(INVENTORY.parents[1]))
    )
    path = directory / "hosts.yml"
    path.write_text(text.replace(f"ansible_host: {address}", f"ansible_host: {nobody}"), encoding="utf-8")
    return path


def test_of_two_operators_with_one_member_each_exactly_one_wins(healthy: None, tmp_path: Path) -> None:
    """No primary is left and each operator reaches only one standby: both waive the fence, one claim is taken."""
    inside("db1", "systemctl stop postgresql@15-accounts")
    inside("db1", "runuser -u postgres -- touch /var/lib/postgresql/15/accounts/standby.signal")
    inside("db1", "systemctl start postgresql@15-accounts")
    sql("db2", 5434, "alter system set primary_conninfo = ''")
    sql("db2", 5434, "select pg_reload_conf()")
    # Nobody sees the other member's database either, or they would not be let: whoever sees it answer has a veto
    for member in ("db1", "db2"):
        inside(member, "iptables -I INPUT -s 203.0.113.128/26 -j DROP; iptables -I OUTPUT -d 203.0.113.128/26 -j DROP")
    hosts = {site: blind_to(blind, tmp_path / blind) for blind, site in (("db1", "dc2"), ("db2", "dc1"))}
    begun = time.time_ns()

    def both(*more: str) -> dict[str, subprocess.Popen[str]]:
        """Each operator begins a failover; their words are the same but for what each site needs."""
        processes = {}
        for site, machines in hosts.items():
            words = [
                "scope=accounts-db",
                f"target_site={site}",
                *(each.format(site=site, begun=begun) for each in more),
                "waive=old_primary_unfenced,missing_candidate,lag_unknown",
                '{"reason": "each sees one member"}',
            ]
            processes[site] = start_verb("failover", *words, hosts=machines)
        return processes

    for refused in both("continuity_run_id=refused-{site}-{begun}").values():
        output, _errors = refused.communicate(timeout=120)
        assert "confirmation_missing" in output, output
    processes = both("continuity_run_id=only-{site}-{begun}", "confirm=refused-{site}-{begun}")
    with Watch() as watch:
        ends = {site: (process.communicate(timeout=120)[0], process.returncode) for site, process in processes.items()}
    won = [site for site, (_output, rc) in ends.items() if rc == 0]
    assert len(won) == 1, ends
    lost = ends[{"dc1": "dc2", "dc2": "dc1"}[won[0]]][0]
    assert "claim_held" in lost or "stale_epoch" in lost, lost
    assert len(watch.most) == 1, watch.most
    winner = {"dc1": "db1", "dc2": "db2"}[won[0]]
    assert writable(PORTS, "accounts") == [winner]


def test_an_engine_that_answers_to_nobody_is_not_promoted_twice(healthy: None) -> None:
    assert run_verb("switchover", *MOVE).rc == 0
    timeline = sql("db2", 5434, "select substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8)")
    assert run_verb("switchover", *MOVE).changed == 0
    assert sql("db2", 5434, "select substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8)") == timeline
    lab("status")
