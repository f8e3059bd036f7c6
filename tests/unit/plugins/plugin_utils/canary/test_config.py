# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys

import pytest

from ansible_collections.continuity.dr.plugins.plugin_utils.canary import client, session
from ansible_collections.continuity.dr.plugins.plugin_utils.canary.config import (
    Config,
    Login,
    checked,
    from_json,
    quoted_name,
    quoted_table,
)
from ansible_collections.continuity.dr.plugins.plugin_utils.canary.errors import CanaryError
from ansible_collections.continuity.dr.plugins.plugin_utils.process import is_running, mark_of

LOGIN = Login(name="payments-db.shop.example.", database="shop", role="canary", password="kept", resolvers=("::1",))
CONFIG = Config(service="payments-db", run_id="run-1", ledger="/r/payments-db.jsonl", login=LOGIN)


def test_settings_travel_whole() -> None:
    assert from_json(CONFIG.to_json()) == CONFIG


def test_the_password_does_not_show_when_settings_are_printed() -> None:
    assert "kept" not in repr(CONFIG)


def test_members_may_listen_on_different_ports() -> None:
    login = dataclasses.replace(LOGIN, port=5432, ports={"198.51.100.11": 5433, "2001:db8:0::22": 5434})
    assert login.port_of("198.51.100.11") == 5433
    assert login.port_of("2001:db8::22") == 5434
    assert login.port_of("203.0.113.11") == 5432


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("service", "../elsewhere"),
        ("run_id", "run 1"),
        ("run_id", "x" * 65),
        ("rate", 0),
        ("rate", 1001.0),
        ("max_rows", 0),
        ("max_seconds", 0.0),
    ],
)
def test_a_wrong_setting_is_named_with_its_value_and_what_is_allowed(field, value) -> None:
    with pytest.raises(CanaryError) as wrong:
        checked(dataclasses.replace(CONFIG, **{field: value}))
    assert f"{field} {value!r}: allowed is" in str(wrong.value)


@pytest.mark.parametrize("field", ["name", "database", "role"])
def test_all_wrong_settings_are_told_at_once(field) -> None:
    login = dataclasses.replace(LOGIN, **{field: ""})
    with pytest.raises(CanaryError, match=r"rate .*; .*''"):
        checked(dataclasses.replace(CONFIG, rate=-1.0, login=login))


def test_an_unknown_setting_is_refused() -> None:
    data = {**json.loads(CONFIG.to_json()), "rat": 3}
    with pytest.raises(CanaryError, match="unknown setting rat"):
        from_json(json.dumps(data))


@pytest.mark.parametrize(
    ("table", "quoted"), [("continuity_canary", '"continuity_canary"'), ("App.canary$1", '"App"."canary$1"')]
)
def test_a_table_is_quoted(table, quoted) -> None:
    assert quoted_table(table) == quoted


@pytest.mark.parametrize("table", ["", "a.b.c", 'a"b', "a;DROP TABLE b", "a b", "1a", "a.", "tablé"])
def test_what_is_no_plain_name_never_reaches_a_statement(table) -> None:
    with pytest.raises(CanaryError, match="allowed is a name"):
        quoted_table(table)


def test_a_role_may_have_any_name() -> None:
    assert quoted_name('can"ary') == '"can""ary"'
    for wrong in ("", "a\0b"):
        with pytest.raises(CanaryError):
            quoted_name(wrong)


def test_the_client_tells_a_wrong_setting_and_starts_nothing(tmp_path) -> None:
    config = dataclasses.replace(CONFIG, rate=0.0, ledger=str(tmp_path / "x.jsonl"))
    done = subprocess.run(
        [sys.executable, "-P", client.__file__], input=config.to_json(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 2 and "rate 0.0: allowed is" in done.stderr and "kept" not in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_missing_driver_is_named_with_the_command_that_installs_it(monkeypatch) -> None:
    monkeypatch.setattr(session, "_MISSING", ImportError("no pq wrapper available"))
    with pytest.raises(CanaryError, match="needs psycopg 3 .* -m pip install 'psycopg"):
        session.require_driver()


def test_a_process_is_known_by_number_and_start() -> None:
    mark = mark_of(os.getpid())
    assert mark and is_running(os.getpid(), mark)
    assert not is_running(os.getpid(), mark + "0")
    with subprocess.Popen(["true"]) as gone:
        gone.wait()
    assert mark_of(gone.pid) is None
