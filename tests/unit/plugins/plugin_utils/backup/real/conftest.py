# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A primary with a real pgBackRest and two repositories on this machine; only sudo and systemd are stand-ins."""

from __future__ import annotations

import shutil
import time

import pytest
from real_primary import Primary, until
from real_server import server_folder

from ansible_collections.continuity.dr.plugins.plugin_utils import lease
from ansible_collections.continuity.dr.plugins.plugin_utils.backup.prove import Canary, Check
from ansible_collections.continuity.dr.plugins.plugin_utils.backup.wanted import Wanted
from ansible_collections.continuity.dr.plugins.plugin_utils.core.backups import Schedule
from ansible_collections.continuity.dr.plugins.plugin_utils.core.restore_point import target_of

CANARY = Canary("postgres", "canary")


def built() -> Primary:
    """A running primary with a stanza, one full backup in each repository."""
    folder = server_folder()
    made = Primary(folder)
    made.created("--wal-segsize=1")
    made.sql(
        "create table canary (run_id text, seq bigint, written_at timestamptz not null default clock_timestamp())",
        "create sequence numbers",
        "create table orders as select n, repeat('x', 500) as text from generate_series(1, 200) n",
    )
    made.pgbackrest("stanza-create")
    return made


@pytest.fixture(scope="session")
def _state():
    """What a script calls /var/lib/continuity is below each member's own home."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lease, "STATE_DIRECTORY", "/STATE")
        yield


@pytest.fixture(scope="session")
def history(_state):
    """A primary whose log holds rows before and after each kind of target; tests only read it and its repositories."""
    made = built()
    try:
        made.backups = made.maker().present(Schedule(86400))["made"]
        made.first = made.write()
        until(lambda: time.time() > made.first + 1.1, "a second later")
        made.sql("select pg_create_restore_point('after_one')")
        ((made.lsn,),) = made.sql("select pg_current_wal_insert_lsn()::text")
        made.target = time.time()
        made.second = made.write()
        made.archived()
        made.third = made.write()
        made.archived()
        made.write()
        made.archived()
        yield made
        assert made.rights() >= {
            (user, " ".join(argv)) for user, argv in made.commands if "damaged.conf" not in " ".join(argv)
        }
    finally:
        made.end()
        shutil.rmtree(made.home.parent)


@pytest.fixture
def world(_state):
    """A primary of the test's own."""
    made = built()
    try:
        yield made
    finally:
        made.end()
        shutil.rmtree(made.home.parent)


@pytest.fixture
def wanted():
    """`wanted("latest", repository=2)`: a request, judged by the canary and a query."""

    def make(text: str, checks=("select count(*) = 200 from orders",), **changes) -> Wanted:
        return Wanted(target_of(text), checks=tuple(Check.from_options(checks)), canary=CANARY, **changes)

    return make


@pytest.fixture(autouse=True)
def _clean(request):
    """Each test of the shared history begins and ends with an empty restore directory."""
    yield
    if "history" in request.fixturenames:
        request.getfixturevalue("history").restorer().discarded()
