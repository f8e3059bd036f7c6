# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import pytest

from ansible_collections.continuity.dr.plugins.lookup.carried import LookupModule
from ansible_collections.continuity.dr.plugins.plugin_utils import run

POSTGRESQL, OTHER = "continuity.dr.engine_postgresql", "acme.dr.engine_cache"
DB1, DB2 = {"host": "db1", "port": 5432, "site": "dc1"}, {"host": "db2", "port": 5432, "site": "dc2"}
SERVICES = {
    "payments-db": {"engine": {"role": POSTGRESQL}, "members": [DB1, DB2]},
    "cache": {"engine": {"role": OTHER}, "members": [DB2]},
    "accounts-db": {"engine": {"role": POSTGRESQL}, "members": [{**DB1, "port": 5433}, {**DB2, "port": 5434}]},
}


@pytest.fixture
def carried(tmp_path):
    run.forget()
    run.begin(verb="assess", inputs={}, plan={}, services=SERVICES, runs_directory=str(tmp_path))
    yield lambda *terms: LookupModule().run(list(terms))
    run.forget()


def test_a_machine_is_asked_once_for_each_engine_it_carries(carried):
    assert carried("db1") == [[POSTGRESQL]]
    assert carried("db2") == [[POSTGRESQL, OTHER]]


def test_each_member_knows_its_service_and_its_peers(carried):
    (members,) = carried("db2", POSTGRESQL)
    assert members == [
        {**DB2, "service": "payments-db", "peers": [DB1]},
        {**DB2, "port": 5434, "service": "accounts-db", "peers": [{**DB1, "port": 5433}]},
    ]
    assert carried("db2", OTHER) == [[{**DB2, "service": "cache", "peers": []}]]


def test_a_machine_that_carries_nothing_and_a_role_it_does_not_have_give_nothing(carried):
    assert carried("db9") == [[]] and carried("db9", POSTGRESQL) == [[]] and carried("db1", OTHER) == [[]]


def test_the_plan_is_not_changed_by_asking(carried):
    carried("db2", POSTGRESQL)[0][0]["peers"].append("x")
    assert "service" not in DB2 and carried("db2", POSTGRESQL)[0][0]["peers"] == [DB1]


def test_without_a_run_there_is_nothing():
    run.forget()
    assert LookupModule().run(["db1"]) == [[]] and LookupModule().run(["db1", POSTGRESQL]) == [[]]
