# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What others than the client do to the table, on a real server; and the grants that the guide prints."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from ansible_collections.continuity.dr.plugins.plugin_utils.canary import control, steps
from ansible_collections.continuity.dr.plugins.plugin_utils.canary.config import Login
from ansible_collections.continuity.dr.plugins.plugin_utils.canary.errors import CanaryError
from ansible_collections.continuity.dr.plugins.plugin_utils.canary.table import Table, read_surviving
from ansible_collections.continuity.dr.plugins.plugin_utils.core.outage import Expected

from .conftest import FUNCTIONS

DEFAULTS = {"table": "continuity_canary", "sslmode": "prefer", "timeout_seconds": None, "purge": False}
GUIDE = Path(__file__).resolve().parents[5] / "docs" / "canary.md"


def arguments(server, state, **more):
    one = {"state": state, "service": "payments-db", "endpoint": server.address, "port": server.port}
    return {**DEFAULTS, **one, "database": "postgres", "role": "canary", **more}


def login(server, **more) -> Login:
    return Login(**{"name": server.address, "database": "postgres", "role": "canary", "port": server.port, **more})


def test_set_up_makes_the_table_once(server) -> None:
    server.sql("DROP TABLE continuity_canary")
    args = arguments(server, "set_up", owner="postgres")
    predicted = steps.do(args, True)
    assert predicted["changed"] and server.sql("SELECT to_regclass('continuity_canary')") == [(None,)]
    made = steps.do(args, False)
    assert made["changed"] and made["statements"] == predicted["statements"]
    assert steps.do(args, False) == {"changed": False, "statements": []}
    server.sql("INSERT INTO continuity_canary (run_id, seq) VALUES ('x', 1)")


def test_set_up_grants_what_is_missing(server) -> None:
    server.sql("REVOKE INSERT ON continuity_canary FROM canary")
    made = steps.do(arguments(server, "set_up", owner="postgres"), False)
    assert made["statements"] == ['GRANT SELECT, INSERT ON "continuity_canary" TO "canary"']


def test_set_up_never_touches_a_table_that_is_somebody_else_s(server) -> None:
    server.sql("CREATE TABLE orders (id bigint, run_id integer)")
    with pytest.raises(CanaryError, match="no canary's table .its columns: id, run_id."):
        steps.do(arguments(server, "set_up", owner="postgres", table="orders"), False)
    assert server.sql("SELECT relacl FROM pg_class WHERE relname = 'orders'") == [(None,)]


def test_set_up_on_a_standby_is_refused(pair) -> None:
    _primary, standby = pair
    with pytest.raises(CanaryError, match="leads to a standby") as refused:
        steps.do(arguments(standby, "set_up", owner="postgres"), False)
    assert refused.value.reason == "not_primary"


def test_set_up_without_the_right_to_says_so(server) -> None:
    server.sql("DROP TABLE continuity_canary")
    with pytest.raises(
        CanaryError, match="permission denied for schema public .42501.. Next: run set_up with an owner"
    ):
        steps.do(arguments(server, "set_up"), False)


def test_surviving_rows_are_those_of_the_run(server) -> None:
    server.sql("INSERT INTO continuity_canary (run_id, seq) SELECT 'run-1', generate_series(1, 5)")
    server.sql("INSERT INTO continuity_canary (run_id, seq) VALUES ('run-2', 9)")
    rows, source = read_surviving(login(server), "continuity_canary", "run-1", None, 1.0)
    assert rows == {1, 2, 3, 4, 5}
    assert (source.port, source.timeline, source.in_recovery) == (server.port, 1, False)


@pytest.mark.parametrize("expected", [{"timeline": 2}, {"system_id": "1"}, {"addresses": frozenset({"203.0.113.11"})}])
def test_rows_of_another_server_than_expected_prove_nothing(server, expected) -> None:
    with pytest.raises(CanaryError, match="not the expected primary"):
        read_surviving(login(server), "continuity_canary", "run-1", Expected(**expected), 0.0)


def test_rows_of_a_standby_prove_nothing(pair) -> None:
    _primary, standby = pair
    with pytest.raises(CanaryError, match="not the expected primary"):
        read_surviving(login(standby), "continuity_canary", "run-1", None, 0.0)


def test_a_frozen_server_is_not_waited_for_for_ever(server) -> None:
    server.signal(signal.SIGSTOP)
    began = time.monotonic()
    with pytest.raises(CanaryError, match="cannot connect.*did not answer within 3 s"):
        Table(login(server), "continuity_canary")
    assert time.monotonic() - began < 4.0


def test_many_rows_come_back_over_an_encrypted_connection(server) -> None:
    openssl = shutil.which("openssl")
    assert openssl, "openssl is not installed (make packages; Debian: apt-get install openssl)"
    key, certificate = server.folder / "server.key", server.folder / "server.crt"
    make = f"req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -keyout {key} -out {certificate}"
    subprocess.run([openssl, *make.split()], check=True, capture_output=True)
    for path in (key, certificate):
        path.chmod(0o600)
        stat = server.data.stat()
        shutil.chown(path, stat.st_uid, stat.st_gid)
    server.set("ssl_cert_file", str(certificate))
    server.set("ssl_key_file", str(key))
    server.set("ssl", "on")
    server.sql("INSERT INTO continuity_canary (run_id, seq) SELECT 'run-1', generate_series(1, 100000)")
    rows, _source = read_surviving(login(server, sslmode="require"), "continuity_canary", "run-1", None, 1.0)
    assert rows == set(range(1, 100001))


def test_purge_deletes_this_run_only_and_only_on_request(server, tmp_path) -> None:
    server.sql("INSERT INTO continuity_canary (run_id, seq) VALUES ('run-1', 1), ('run-1', 2), ('run-2', 1)")
    args = arguments(server, "stopped", run_id="run-1", directory=str(tmp_path), owner="postgres")
    assert steps.do(args, False)["changed"] is False
    assert server.sql("SELECT count(*) FROM continuity_canary") == [(3,)]
    result = steps.do({**args, "purge": True}, False)
    assert (result["changed"], result["purged"]) == (True, 2)
    assert server.sql("SELECT run_id FROM continuity_canary") == [("run-2",)]


def test_the_grants_of_the_guide_are_enough_and_no_more(server, config) -> None:
    """The SQL that docs/canary.md prints is run as it stands, then the canary works as the role that it makes."""
    blocks = re.findall(r"```sql\n(.*?)```", GUIDE.read_text(encoding="utf-8"), flags=re.DOTALL)
    server.sql("DROP TABLE continuity_canary")
    server.sql("DROP ROLE canary")
    server.sql("CREATE DATABASE shop")
    for statement in (part.strip() for part in blocks[0].split(";")):
        if statement:
            server.sql(statement, dbname="shop")
    one = config(database="shop", password="choose-one")
    control.start(one, 5, 5.0)
    control.stop(one.ledger)
    rows, _source = read_surviving(login(server, database="shop"), "continuity_canary", "run-1", None, 1.0)
    assert len(rows) >= 5
    for forbidden in ("DELETE FROM continuity_canary", "CREATE TABLE mine (id int)", "TRUNCATE continuity_canary"):
        with pytest.raises(Exception, match="permission denied"):
            server.sql(forbidden, user="canary", dbname="shop")


def test_the_extra_grant_of_the_guide_is_enough_on_a_hardened_server(server, config) -> None:
    server.sql(f"REVOKE EXECUTE ON FUNCTION {FUNCTIONS} FROM PUBLIC")
    with pytest.raises(CanaryError, match="42501.*permission denied for function"):
        control.start(config(), 5, 1.0)
    server.sql(re.findall(r"```sql\n(.*?)```", GUIDE.read_text(encoding="utf-8"), flags=re.DOTALL)[1])
    control.start(config(), 5, 5.0)
