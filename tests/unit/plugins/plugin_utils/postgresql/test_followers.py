# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A follower that the server calls synchronous proves something only where every commit waits for that one."""

from __future__ import annotations

import pytest

from ansible_collections.continuity.dr.plugins.plugin_utils.core.view import SYNCHRONOUS
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql.followers import COMMITS_DO_NOT_WAIT, followers


def seen(*ones, setting="on", source="configuration file", overrides=()):
    default = {"name": "db2", "address": "203.0.113.132", "state": "streaming", "sync": "sync"}
    return followers(
        {
            "followers": [default | one for one in ones or ({},)],
            "commits": {"setting": setting, "source": source, "overrides": list(overrides)},
        }
    )


def override(setting, role=None, database=None):
    return {"role": role, "database": database, "setting": setting}


@pytest.mark.parametrize("setting", ["on", "remote_apply", "remote_write"])
@pytest.mark.parametrize("mode", SYNCHRONOUS)
def test_a_synchronous_one_is_called_so_where_commits_wait(setting, mode):
    assert seen({"sync": mode}, setting=setting) == {"db2": mode}


@pytest.mark.parametrize("setting", ["off", "local"])
@pytest.mark.parametrize("mode", SYNCHRONOUS)
def test_where_commits_do_not_wait_it_is_told_and_is_no_longer_synchronous(setting, mode):
    told = seen({"sync": mode}, setting=setting)["db2"]
    assert told == f"{mode}, {COMMITS_DO_NOT_WAIT} (synchronous_commit = {setting})" and told not in SYNCHRONOUS
    assert seen({"sync": "async"}, setting=setting) == {"db2": "async"}, "of that one nobody expected more"
    assert seen({"state": "catchup"}, setting=setting) == {"db2": "catchup"}


@pytest.mark.parametrize(
    ("own", "whose"),
    [
        (override("off", role="app"), "role app: synchronous_commit = off"),
        (override("LOCAL", role="app"), "role app: synchronous_commit = LOCAL"),
        (override("false", database="shop"), "database shop: synchronous_commit = false"),
        (override("0", "app", "shop"), "role app in database shop: synchronous_commit = 0"),
        (override("no"), "all roles: synchronous_commit = no"),
    ],
)
def test_a_role_or_database_whose_commits_do_not_wait_is_named(own, whose):
    assert seen(overrides=[own])["db2"] == f"sync, {COMMITS_DO_NOT_WAIT} ({whose})"


@pytest.mark.parametrize("setting", ["on", "TRUE", "yes", "1", "remote_write", "Remote_Apply"])
def test_one_whose_commits_wait_as_well_is_no_news(setting):
    assert seen(overrides=[override(setting, role="app")]) == {"db2": "sync"}


def test_many_are_counted():
    told = seen(overrides=[override("off", role=f"app{n}") for n in range(5)])["db2"]
    assert "app0" in told and "app2" in told and "app3" not in told and told.endswith("; 2 more)")


@pytest.mark.parametrize("source", ["user", "database", "database user", "global", "client"])
def test_a_setting_of_the_login_that_asks_hides_the_servers_own(source):
    assert f"set for this login ({source})" in seen(source=source)["db2"]


def test_two_with_one_name_prove_nothing_whichever_is_synchronous():
    """The other one may have confirmed what the member lacks; PostgreSQL goes by the name alone."""
    other = {"address": "198.51.100.99", "sync": "potential"}
    told = seen({}, other)["db2"]
    assert told == "sync, one of 2 with this name (203.0.113.132, 198.51.100.99)"
    assert seen(other, {})["db2"] == "sync, one of 2 with this name (198.51.100.99, 203.0.113.132)"
    assert "203.0.113.132, a local socket" in seen({}, {"address": None, "state": "catchup"})["db2"]
    assert seen({}, {"name": "db3", "sync": "potential"}) == {"db2": "sync", "db3": "potential"}
    assert seen({"sync": "async"}, {"sync": "async"}) == {"db2": "async"}
    both = seen({}, other, setting="local")["db2"]
    assert "one of 2" in both and COMMITS_DO_NOT_WAIT in both
