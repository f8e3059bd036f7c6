# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import re
import shlex

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql.cluster import Cluster, Upstream, sudo_rules


def test_what_the_plan_leaves_out_is_as_debian_has_it():
    cluster = Cluster.from_member({"host": "db1", "cluster": "15/main"})
    assert cluster == Cluster(
        member="db1",
        version="15",
        name="main",
        port=5432,
        data_directory="/var/lib/postgresql/15/main",
        config_file="/etc/postgresql/15/main/postgresql.conf",
        bin_directory="/usr/lib/postgresql/15/bin",
        unit="postgresql@15-main.service",
        socket_directory="/var/run/postgresql",
        user="postgres",
    )
    assert cluster.kept_directory == "/var/lib/postgresql/15/main.kept"


def test_what_differs_on_one_member_is_taken_from_it():
    options = {"port": "5434", "data_directory": "/srv/db", "unit": "db.service", "user": "pg", "engine": "left alone"}
    cluster = Cluster.from_member({"host": "db2", "cluster": "15/main", **options})
    assert (cluster.port, cluster.data_directory, cluster.unit, cluster.user) == (5434, "/srv/db", "db.service", "pg")


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"cluster": "15/main"}, "host: give the name of the machine"),
        ({"host": "db1"}, "give <version>/<name>, for example 15/main"),
        ({"host": "db1", "cluster": "main"}, "'main': give <version>/<name>"),
        ({"host": "db1", "cluster": "15/"}, "give <version>/<name>"),
        ({"host": "db1", "cluster": "fifteen/main"}, "give <version>/<name>"),
        ({"host": "db1", "cluster": "15/../../etc"}, "give <version>/<name>"),
        ({"host": "db1", "cluster": "15/main", "port": "many"}, "port 'many': give a number from 1 to 65535"),
        ({"host": "db1", "cluster": "15/main", "port": 70000}, "port 70000: give a number"),
        ({"host": "db1", "cluster": "15/main", "data_directory": "db"}, "data_directory 'db': give an absolute path"),
        ({"host": "db1", "cluster": "15/main", "data_directory": "/d\nx ALL=ALL"}, "without spaces"),
        ({"host": "db1", "cluster": "15/main", "bin_directory": "/my programs"}, "bin_directory '/my programs'"),
        ({"host": "db 1", "cluster": "15/main"}, "host 'db 1'"),
        ({"host": "db1 sslmode=disable", "cluster": "15/main"}, "host 'db1 sslmode=disable'"),
        ({"host": "db1", "cluster": "15/main", "user": "post gres"}, "user 'post gres'"),
        ({"host": "db1", "cluster": "15/main", "unit": "a b.service"}, "unit 'a b.service'"),
    ],
)
def test_a_member_that_makes_no_sense_is_refused_with_the_field_and_what_is_allowed(options, text):
    with pytest.raises(ValueError) as refused:
        Cluster.from_member(options)
    assert text in str(refused.value)


def test_an_upstream_is_the_replication_address_else_the_address_else_the_host():
    member = {"host": "db2", "address": "203.0.113.11", "replication_address": "203.0.113.132", "port": 5434}
    assert Upstream.from_member(member) == Upstream("203.0.113.132", 5434, "replicator")
    assert Upstream.from_member({**member, "replication_address": None}).host == "203.0.113.11"
    assert Upstream.from_member({"host": "db2", "replication": {"user": "repl"}}) == Upstream("db2", 5432, "repl")


CHARACTERS = "ABCXYZabcxyz0189_.:-"


@given(st.text(CHARACTERS, min_size=1), st.text(CHARACTERS, min_size=1))
def test_plain_names_stand_in_a_connection_string_as_they_are(host, user):
    upstream = Upstream(host, 5432, user)
    fields = dict(field.split("=", 1) for field in upstream.conninfo("db1").split(" "))
    assert fields == {"host": host, "port": "5432", "user": user, "application_name": "db1"}
    assert dict(field.split("=", 1) for field in upstream.source().split(" "))["host"] == host


@given(st.text(st.characters(max_codepoint=255)).filter(lambda text: not re.fullmatch("[A-Za-z0-9_.:-]+", text)))
@example("db1 sslmode=disable")
@example("db1\n")
def test_nothing_else_gets_into_a_connection_string(text):
    for wrong in ((text, 5432, "replicator"), ("db1", 5432, text)):
        with pytest.raises(ValueError, match="give letters, digits"):
            Upstream(*wrong)
    with pytest.raises(ValueError, match="letters, digits"):
        Upstream("db1", 5432).conninfo(text)


@pytest.mark.parametrize(
    ("member", "text"),
    [
        ({"host": "db1 host=evil"}, "letters, digits"),
        ({"host": "db1", "replication": {"user": "u' password='p"}}, "letters, digits"),
        ({"address": "198.51.100.11\n"}, "letters, digits"),
        ({}, "host: give the name"),
        ({"host": "db1", "port": "x"}, "port 'x'"),
    ],
)
def test_a_plan_that_puts_more_into_a_connection_than_a_name_is_refused(member, text):
    with pytest.raises(ValueError) as refused:
        Upstream.from_member(member)
    assert text in str(refused.value)


def test_the_commands_quote_what_the_plan_names():
    cluster = Cluster.from_member({"host": "db1", "cluster": "15/main", "data_directory": "/srv/$(id)"})
    assert shlex.split(cluster.as_user(cluster.status()))[4:] == cluster.status()
    assert "'/srv/$(id)'" in cluster.as_user(cluster.status())


def test_sudo_rules_name_a_user_each_and_escape_what_sudoers_reads():
    cluster = Cluster.from_member({"host": "db1", "cluster": "15/main", "data_directory": "/srv/a:b,c*"})
    rules = sudo_rules(cluster, [Upstream("db2", 5432)], "continuity")
    assert all(
        rule.startswith(("continuity ALL=(postgres) NOPASSWD: /", "continuity ALL=(root) NOPASSWD: /"))
        for rule in rules
    )
    assert len(rules) == len(set(rules))
    assert "continuity ALL=(postgres) NOPASSWD: /usr/bin/touch /srv/a\\:b\\,c\\*/standby.signal" in rules
    assert any("host\\=db2 port\\=5432" in rule for rule in rules)
