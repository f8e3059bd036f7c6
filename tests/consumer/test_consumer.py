# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The README of examples/consumer, command by command, in its order; what came of it is asked from outside Ansible."""

from __future__ import annotations

import json
import shlex
import time
from pathlib import Path
from typing import Any

import harness
import pytest
from readme_project import Project

NORTH, SOUTH = "198.51.100.11", "203.0.113.11"
PORT = {"db1": 6543, "db2": 6543}
ADDRESS = {"db1": NORTH, "db2": SOUTH}
UNIT = "postgresql@15-orders.service"


def serves(member: str) -> None:
    """The orders database takes writes there and nowhere else, the other follows, and every name server says so."""
    assert harness.writable(PORT, "orders") == [member]
    other = ({"db1", "db2"} - {member}).pop()
    until = time.monotonic() + 10
    streaming = "select count(*) from pg_stat_wal_receiver where status = 'streaming'"
    while harness.sql(other, 6543, streaming) != "1":
        assert time.monotonic() < until, f"{other} does not follow"
    for server in ("ns0", "ns1", "ns2"):
        assert harness.inside(server, "dig +short @127.0.0.1 orders-db.shop.example.") == ADDRESS[member], server


def changed(output: str) -> int:
    recap = harness.RECAP.findall(output)
    assert recap, output
    return sum(int(each[2]) for each in recap)


def newest_report(project: Project) -> dict[str, Any]:
    path = max((project.path / "runs").glob("*/report.json"), key=lambda each: each.stat().st_mtime)
    report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return report


def test_the_collection_is_the_archive_and_nothing_of_the_checkout(project: Project) -> None:
    installed = project.path / "collections" / "ansible_collections" / "continuity" / "dr"
    assert not installed.is_symlink() and (installed / "MANIFEST.json").is_file()
    for name in ("tests", "examples", "Makefile", "inventories/lab", "extensions/molecule"):
        assert not (installed / name).exists(), name
    listed = json.loads(project.run("ansible-galaxy collection list continuity.dr --format json"))
    assert list(listed) == [str(installed.parents[1])]
    for kind, name in (("module", "report"), ("lookup", "whole_run"), ("inventory", "plan")):
        told = project.run(f"ansible-doc --type {kind} --json continuity.dr.{name}")
        file = next(iter(json.loads(told[told.index("{") :]).values()))["doc"]["filename"]
        assert Path(file).is_relative_to(installed)


def test_a_second_time_the_rights_are_as_they_were(project: Project) -> None:
    (command,) = project.commands["Rights"]
    assert changed(project.run(command)) == 0
    assert not (project.path / "runs").exists(), "it is no run of a verb that does something"


def test_look_changes_nothing(project: Project) -> None:
    assess, check = project.section("Look")
    assert "orders-db" in assess and changed(assess) == 0
    assert newest_report(project)["check_mode"] is True, check
    serves("db1")


def test_move_there_and_back(project: Project) -> None:
    project.done.append("Move")
    there, back = project.commands["Move"]
    assert changed(project.run(there)) > 0
    serves("db2")
    moved = newest_report(project)["services"][0]
    assert moved["rpo"]["lost"] == 0 and moved["rto"]["source"] == "canary"
    assert changed(project.run(there)) == 0
    assert newest_report(project)["verdict"] == "nothing_to_do"
    project.run(back)
    serves("db1")


def test_without_the_plan(project: Project) -> None:
    role, module = project.section("Without the plan")
    assert "pg-north-1 takes writes" in role and f"clients are sent to {NORTH}" in module
    for output, command in zip((role, module), project.commands["Without the plan"], strict=True):
        assert changed(output) == 0 and "plan.yml" not in command


def test_the_drill(project: Project) -> None:
    project.section("Drill")
    report = newest_report(project)
    assert (report["verb"], report["verdict"]) == ("drill", "passed")
    serves("db1")
    folder = project.path / "runs" / report["run_id"]
    assert {"report.json", "report.html", "report.md", "junit.xml", "journal"} <= {
        path.name for path in folder.iterdir()
    }


def test_after_an_outage(project: Project) -> None:
    harness.inside("db1", f"systemctl kill --signal=KILL {UNIT}")
    failover, rejoin = project.commands["After an outage"]
    project.done.append("After an outage")
    project.run(failover)
    assert harness.writable(PORT, "orders") == ["db2"]
    project.run(rejoin)
    serves("db2")


def test_every_command_of_the_readme_was_run(project: Project) -> None:
    assert sorted(project.done) == sorted(name for name, commands in project.commands.items() if commands)


@pytest.mark.parametrize("member", ["db1", "db2"])
def test_the_login_may_do_what_is_written_and_nothing_else(project: Project, member: str) -> None:
    name = {"db1": "pg-north-1", "db2": "pg-south-1"}[member]
    written = (project.path / "rights" / f"{name}.sudoers").read_text(encoding="utf-8").splitlines()[1:]
    assert harness.inside(member, "id -nG dbops") == "dbops"
    told = harness.inside(member, "COLUMNS=9999 sudo -l -U dbops")
    assert told.count("NOPASSWD: ") == len(written) > 20

    def may(command: str) -> bool:
        asked = f"runuser -u dbops -- sudo -n -l {command} >/dev/null 2>&1 && echo yes"
        return harness.inside(member, asked, check=False) == "yes"

    psql = "/usr/lib/postgresql/15/bin/psql -XAtq -v ON_ERROR_STOP=1 -h /var/run/postgresql"
    assert may(f"/usr/bin/systemctl stop {UNIT}")
    assert may(f"-u postgres {psql} -p 6543 -d postgres -f -")
    assert may("-u postgres /usr/lib/postgresql/15/bin/pg_ctl status -D /srv/pg/orders")
    for refused in (
        "/bin/sh",
        "/usr/bin/systemctl stop ssh.service",
        "/usr/bin/systemctl stop postgresql@15-payments.service",
        f"/usr/bin/systemctl stop {UNIT} ssh.service",
        "/usr/bin/systemd-run --uid=postgres /bin/sh",
        "-u postgres /bin/sh",
        "-u postgres /usr/bin/rm -rf /srv/pg/orders",
        "-u postgres /usr/bin/tee -a /srv/pg/orders/pg_hba.conf",
        f"-u postgres {psql} -p 5432 -d postgres -f -",
    ):
        assert not may(refused), refused
    ran = harness.inside(member, "runuser -u dbops -- sudo -n /usr/bin/systemctl stop ssh.service 2>&1", check=False)
    assert "password is required" in ran and harness.inside(member, "systemctl is-active ssh.service") == "active"
    assert harness.inside(member, "runuser -u dbops -- ls /var/lib/continuity 2>&1; true").endswith("Permission denied")


def test_the_key_may_change_its_record_and_nothing_else(project: Project) -> None:
    def update(name: str, value: str) -> str:
        lines = ["server 127.0.0.1", "zone shop.example.", f"update add {name} 5 {value}", "send"]
        script = "nsupdate -k /etc/bind/orders.key 2>&1 <<'END'\n" + "\n".join(lines) + "\nEND"
        return harness.inside("ns0", script, check=False)

    assert update("orders-db.shop.example.", f"A {NORTH}") == ""
    for name, value in (
        ("payments-db.shop.example.", f"A {NORTH}"),
        ("_continuity.payments-db.shop.example.", "TXT x"),
        ("orders-db.shop.example.", "TXT x"),
        ("other.shop.example.", f"A {NORTH}"),
    ):
        assert "REFUSED" in update(name, value), name


def test_the_databases_roles_may_do_their_work_and_nothing_else(project: Project) -> None:
    special = "(rolsuper or rolcreaterole or rolcreatedb or rolbypassrls)"
    roles = f"select rolname, rolreplication from pg_roles where not {special} and rolname like 'orders%' order by 1"
    assert harness.sql("db1", 6543, roles).splitlines() == ["orders_canary|f", "orders_repl|t"]
    held = (
        "select string_agg(privilege_type, ',' order by privilege_type) from information_schema.table_privileges"
        " where grantee = 'orders_canary'"
    )
    assert harness.inside("db1", _psql("orders", held)) == "INSERT,SELECT"


def _psql(database: str, statement: str) -> str:
    words = ["/usr/lib/postgresql/15/bin/psql", "-XAqt", "-p", "6543", "-d", database, "-c", statement]
    return f"runuser -u postgres -- {shlex.join(words)}"


def test_no_secret_stands_in_what_is_kept(project: Project) -> None:
    secrets = [(project.path / "secrets" / name).read_text() for name in ("tsig", "canary", "replication")]
    kept = [path for name in ("runs", "rights") for path in (project.path / name).rglob("*") if path.is_file()]
    assert len(kept) > 20
    for path in kept:
        text = path.read_text(errors="replace")
        assert not any(secret in text for secret in secrets), path


def test_the_labs_own_services_did_not_notice(project: Project) -> None:
    assert "healthy" in harness.lab("status")
