# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import os
import re

import pytest

from ansible_collections.continuity.dr.plugins.plugin_utils import run

ASKED = {"verb": "switchover", "inputs": {"scope": "payments"}, "plan": {"id": "shop"}, "services": {}}


@pytest.fixture(autouse=True)
def no_run():
    run.forget()
    yield
    run.forget()


def test_there_is_no_run_before_it_begins():
    assert run.current() is None


def test_a_run_begins_once(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    first = run.begin(**ASKED)
    assert re.fullmatch(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{4}", first.run_id)
    assert first.directory == str(tmp_path / "runs" / first.run_id)
    assert not os.path.exists(first.directory)
    assert "@" in first.operator
    assert run.begin(**ASKED) is first
    assert run.current() is first


def test_the_operator_may_name_the_run_and_its_place(tmp_path):
    begun = run.begin(**ASKED, run_id="drill-7", runs_directory=str(tmp_path))
    assert begun.directory == str(tmp_path / "drill-7")


def test_inventory_sources_can_be_copied_from_where_the_run_was_started(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    begun = run.begin(**ASKED, inventory=[f"{tmp_path}/lab/hosts.yml", f"{tmp_path}2/plan.yml", "db1,"])
    assert begun.inventory == ("lab/hosts.yml", f"{tmp_path}2/plan.yml", "db1,")


def test_a_second_verb_in_the_process_is_refused():
    run.begin(**ASKED)
    with pytest.raises(run.RunConflict, match="already runs 'switchover'.*start 'failover' with"):
        run.begin(**{**ASKED, "verb": "failover"})


@pytest.mark.parametrize("run_id", ["", "..", ".hidden", "a/b", "a b", "a\n", "ä", "x" * 65])
def test_a_run_id_that_cannot_be_a_file_name_is_refused(run_id):
    with pytest.raises(ValueError, match="is not a run id; allowed: "):
        run.begin(**ASKED, run_id=run_id)
    assert run.current() is None


def test_run_ids_sort_by_time():
    assert run.new_run_id(1795317300.0)[:17] == "20261122T031500Z-"


def test_an_operator_without_a_user_name_is_named_by_number(monkeypatch):
    def unknown():
        raise OSError("No username set in the environment")

    monkeypatch.setattr(run.getpass, "getuser", unknown)
    assert run.operator().startswith(f"uid{os.getuid()}@")
