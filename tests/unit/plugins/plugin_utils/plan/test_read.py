# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.continuity.dr.plugins.plugin_utils.plan.read import PlanReadError, Sealed, read_plan
from ansible_collections.continuity.dr.plugins.plugin_utils.plan.words import VAULT_MARK

TEXT = st.text().filter(lambda text: VAULT_MARK not in text)  # which needs a tag
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), TEXT)
DATA = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4))


@given(DATA)
def test_reads_what_yaml_reads(data):
    assert read_plan(yaml.safe_dump(data)) == (data, [])


@pytest.mark.parametrize(
    "text",
    [
        "base: &b {a: 1, b: &l [1, &s two]}\nc: {<<: *b, a: 2}\nd: *l\ne: *s",
        "b: &b {a: 1}\nc: &c {a: 2, d: 3}\ne: {a: 0, <<: [*b, *c]}\nf: {<<: [*b, *c]}",
        "a: 'quoted: 5'\nb: '5'\nc: 5\nd: !!str 5\ne: ''\nf:\ng: ~\nh: yes\ni: 0x1f\nj: |\n  two\n  lines\nk: '<<'",
        "{a: [], b: {}, c: [[1], {d: [2]}]}",
        "a: {'<<': 1, \"<<\": 2}",
        "- 1\n- [2]",
        "",
    ],
)
def test_reads_anchors_merges_and_words_as_yaml_does(text):
    assert read_plan(text)[0] == yaml.safe_load(text)


def test_dates_stay_text():
    assert read_plan("last: 2026-10-01")[0] == {"last": "2026-10-01"}


def test_vaulted_text_stays_sealed():
    value = read_plan("key: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  3132\n")[0]["key"]
    assert isinstance(value, Sealed)
    assert value == "$ANSIBLE_VAULT;1.1;AES256\n3132\n"


def test_a_key_given_twice_is_named_with_its_path_and_line():
    text = "services:\n  db: {a: 1}\n  other: [{a: 1, a: 2}]\n  db: {b: 1}\n"
    assert read_plan(text)[1] == [
        "services.other[0].a: is given a second time in line 3; allowed: once",
        "services.db: is given a second time in line 4; allowed: once",
    ]


def test_a_key_may_overrule_what_is_merged():
    assert read_plan("a: &a {x: 1}\nb: {<<: *a, x: 2}\nc: {x: 3, <<: *a}") == (
        {"a": {"x": 1}, "b": {"x": 2}, "c": {"x": 3}},
        [],
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: [", "line 2, column 1: "),
        ("a: b: c", "line 1, column 5: mapping values are not allowed"),
        ("\ta: b", "line 1, column 1: found character that cannot start any token"),
        ("a: !unsafe x", 'the tag "!unsafe" has no meaning here; allowed: !vault'),
        ("a: !!python/object:os.system x", 'the tag "tag:yaml.org,2002:python/object:os.system" has no meaning here'),
        ("a: !!set {b}", 'the tag "tag:yaml.org,2002:set" has no meaning here'),
        ("a: !!int x", 'the tag "tag:yaml.org,2002:int" has no meaning here'),
        ("? [a]\n: b", "a key must be a word, not a collection"),
        ("a: &x [1]\n? *x\n: b", "a key must be a word, not a collection"),
        ("a: 1\n---\nb: 2", "a second document begins here"),
        ("a: &x {b: *x}", '"*x" stands inside of what it refers to'),
        ("a: {<<: 1}", '"<<" takes a mapping or a list of them'),
    ],
)
def test_what_is_no_yaml_is_refused_with_its_place(text, told):
    with pytest.raises(PlanReadError) as caught:
        read_plan(text)
    assert str(caught.value).startswith("is not readable YAML: ")
    assert told in str(caught.value)
