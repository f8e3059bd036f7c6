# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql import act, sql
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql.cluster import Cluster

ANY_TEXT = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]))


def read_literal(quoted: str) -> str:
    """What the server makes of a literal: a quote ends it unless another follows."""
    assert quoted[0] == quoted[-1] == "'"
    inner = quoted[1:-1]
    assert "'" not in inner.replace("''", ""), "the literal ends early"
    return inner.replace("''", "'")


@given(ANY_TEXT)
def test_a_literal_holds_its_text_and_ends_where_it_should(text):
    assert read_literal(sql.literal(text)) == text


def test_a_literal_with_a_nul_is_refused():
    with pytest.raises(ValueError, match="NUL"):
        sql.literal("a\x00b")


@given(st.integers(0, 2**64 - 1))
def test_a_position_reads_back_as_the_same_number(position):
    text = sql.position_text(position)
    assert sql.position_bytes(text) == position
    high, _slash, low = text.partition("/")
    assert len(high) <= 8 and len(low) <= 8 and text == text.upper()


def test_positions_in_the_servers_notation():
    assert sql.position_text(0x1_0000_00A0) == "1/A0"
    assert sql.position_bytes("16/B374D848") == 0x16_B374_D848
    assert sql.position_text(None) == "unknown"


@pytest.mark.parametrize("text", ["", "0", "x/y", "1/", "unknown"])
def test_what_is_no_position_is_refused(text):
    with pytest.raises(ValueError):
        sql.position_bytes(text)


@given(st.lists(ANY_TEXT, max_size=3))
def test_standby_names_are_each_one_name_whatever_is_in_them(names):
    value = sql.synchronous_names(names).removeprefix("alter system set synchronous_standby_names = ")
    value = read_literal(value[: value.rindex(";\nselect pg_reload_conf();")])
    found, rest = [], value
    while rest:
        assert rest[0] == '"'
        end = 1
        while rest[end] != '"' or rest[end + 1 : end + 2] == '"':
            end += 2 if rest[end] == '"' else 1
        found.append(rest[1:end].replace('""', '"'))
        rest = rest[end + 1 :].removeprefix(", ")
    assert found == names


def test_a_promotion_without_proof_waits_for_nothing_and_one_with_proof_names_it():
    assert "proof bigint := null;" in sql.promote(None, None, 30)
    assert "proof bigint := 4096;" in sql.promote(4096, None, 30)
    assert "interval '30.0 seconds'" in sql.promote(4096, None, 30)
    with pytest.raises((TypeError, ValueError)):
        sql.promote("0; drop table t", None, 30)


def test_statements_that_would_end_the_heredoc_are_refused_and_never_sent_to_the_shell():
    cluster = Cluster.from_member({"host": "db1", "cluster": "15/main"})
    with pytest.raises(ValueError, match="CONTINUITY_SQL"):
        act.psql(cluster, "select 'x\nCONTINUITY_SQL\ntouch /tmp/pwned\n'", 5)
