# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.continuity.dr.plugins.plugin_utils.journal import MASK, mask


@pytest.mark.parametrize(
    "name",
    [
        "secret",
        "password",
        "key.secret",
        "token",
        "PGPASSWORD",
        "canary_password",
        "tsig-key-secret",
        "privateKey",
        "api_key",
        "passphrase",
        "key",
        "tsig_key",
    ],
)
def test_text_under_a_secret_name_is_masked(name):
    assert mask({"outer": [{name: "hunter2"}]}) == {"outer": [{name: MASK}]}


def test_a_structure_under_a_secret_name_is_masked_whole():
    assert mask({"credentials": {"user": "a", "pin": 7}}) == {"credentials": MASK}


def test_the_key_mapping_keeps_its_name_and_loses_its_secret():
    key = {"name": "continuity", "algorithm": "hmac-sha256", "secret": "c2VjcmV0"}
    assert mask({"key": key}) == {"key": {"name": "continuity", "algorithm": "hmac-sha256", "secret": MASK}}


def test_facts_about_a_secret_stay():
    assert mask({"password": None, "secret_found": True}) == {"password": None, "secret_found": True}


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("host=db2 password=hunter2 user=rep", f"host=db2 password={MASK} user=rep"),
        ("host=db2 password = 'hunter2 x' user=rep", f"host=db2 password = {MASK} user=rep"),
        ('{"secret": "hunter2"}', '{"secret": "' + MASK + '"}'),
        ("postgresql://rep:hunter2@db2/postgres", f"postgresql://rep:{MASK}@db2/postgres"),
        ("the password is wrong", "the password is wrong"),
        ("primary_key = id", "primary_key = id"),
    ],
)
def test_secrets_inside_text(text, kept):
    assert mask({"message": text}) == {"message": kept}


def test_objects_become_plain_json():
    @dataclasses.dataclass
    class Member:
        host: str
        password: str

    value = {"member": Member("db1", "hunter2"), "hosts": {"b", "a"}, "lag": float("nan"), "raw": b"x", 1: (2,)}
    assert mask(value) == {
        "member": {"host": "db1", "password": MASK},
        "hosts": ["a", "b"],
        "lag": None,
        "raw": "x",
        "1": [2],
    }


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(_JSON)
def test_anything_masked_is_json_and_masking_again_changes_nothing(value):
    once = mask(value)
    json.dumps(once, allow_nan=False)
    assert mask(once) == once
