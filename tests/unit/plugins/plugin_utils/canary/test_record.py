# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The ledger belongs to one client at a time, and to look at it is not to take it."""

from __future__ import annotations

import threading

import pytest

from ansible_collections.continuity.dr.plugins.plugin_utils.canary.errors import CanaryError
from ansible_collections.continuity.dr.plugins.plugin_utils.canary.record import LedgerFile, in_use


@pytest.fixture
def looked_at(tmp_path):
    """A ledger that others look at all the time."""
    path, stop = tmp_path / "ledger.jsonl", threading.Event()
    path.touch()

    def look():
        while not stop.is_set():
            in_use(path)

    others = [threading.Thread(target=look) for _each in range(2)]
    for one in others:
        one.start()
    yield path
    stop.set()
    for one in others:
        one.join()


def test_those_who_look_keep_no_client_out(looked_at):
    for _turn in range(300):
        LedgerFile(str(looked_at)).close()


def test_those_who_look_take_each_other_for_no_client(looked_at):
    assert not any(in_use(looked_at) for _turn in range(5_000))


def test_a_second_client_is_refused(tmp_path):
    first = LedgerFile(str(tmp_path / "ledger.jsonl"))
    assert in_use(tmp_path / "ledger.jsonl")
    with pytest.raises(CanaryError, match="another canary writes"):
        LedgerFile(str(tmp_path / "ledger.jsonl"))
    first.close()
    assert not in_use(tmp_path / "ledger.jsonl")
