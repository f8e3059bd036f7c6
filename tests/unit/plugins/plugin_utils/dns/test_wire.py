# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Signatures, and messages from and to bytes."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import dns.flags
import dns.message
import dns.rrset
import dns.tsig
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.continuity.dr.plugins.plugin_utils.dns import wire
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.change import Change, Question, RecordSet
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.errors import DnsError
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.settings import Key
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.signature import read_signature

KEY = Key("continuity.", "hmac-sha256", "Y29udGludWl0eS1vbi1sb29wYmFjay0wMDAx")
OTHER = Key("continuity.", "hmac-sha256", "c29tZS1vdGhlci1zZWNyZXQtYWx0b2dldGhlcg==")
QUESTION = Question("db.shop.example.", "TXT")


def answered(sent: wire.Sent, *lines: str, key: Key | None = KEY, authoritative: bool = True) -> bytes:
    """The bytes a server would answer with."""
    answer = dns.message.make_response(sent.message, our_payload=1232)
    answer.flags |= dns.flags.AA if authoritative else 0
    for line in lines:
        name, ttl, rtype, value = line.split(" ", 3)
        answer.answer.append(dns.rrset.from_text(name, int(ttl), "IN", rtype, value))
    if key:
        answer.use_tsig(dns.tsig.Key(key.name, key.secret, key.algorithm))
        answer.request_mac = sent.message.mac
    else:
        answer.tsig = None
    return bytes(answer.to_wire())


def test_a_question_asks_for_no_recursion() -> None:
    sent = wire.encode_question(QUESTION, None)
    assert sent.wire[2:4] == b"\x00\x00"


def test_a_change_is_one_message_with_its_prerequisites() -> None:
    change = Change(
        "shop.example.",
        (RecordSet("db.shop.example.", "A", ("198.51.100.11",)), RecordSet("db.shop.example.", "CNAME")),
        (RecordSet("db.shop.example.", "A", ("203.0.113.11", "203.0.113.12"), 5),),
        (RecordSet("db.shop.example.", "TXT", ('"probe"',)),),
    )
    text = dns.message.from_wire(wire.encode_change(change, None).wire).to_text().splitlines()
    start = text.index(";PREREQ")
    assert text[start + 1 :] == [
        "db.shop.example. 0 IN A 198.51.100.11",
        "db.shop.example. NONE CNAME",
        ";UPDATE",
        "db.shop.example. ANY A",
        "db.shop.example. 5 IN A 203.0.113.11",
        "db.shop.example. 5 IN A 203.0.113.12",
        'db.shop.example. 0 NONE TXT "probe"',
        ";ADDITIONAL",
    ]


def test_a_signed_answer_is_read() -> None:
    sent = wire.encode_question(QUESTION, KEY)
    answer = wire.decode(answered(sent, 'db.shop.example. 7 TXT "one" "two"'), sent, KEY, "ns0")
    assert (answer.rcode, answer.authoritative, answer.ttl) == ("NOERROR", True, 7)
    assert answer.values == ("onetwo",)
    assert answer.stored == ('"one" "two"',)


@pytest.mark.parametrize("seconds", [0, 1.5, 4, 20])
def test_an_answer_that_waited_to_be_read_says_nothing_of_the_clocks(
    monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    """A busy controller reads late. Taken for a clock ahead, the wait would be added to the end of another's claim."""
    sent = wire.encode_question(QUESTION, KEY)
    came = answered(sent, 'db.shop.example. 7 TXT "one"')
    monkeypatch.setattr(wire, "time", SimpleNamespace(time=lambda: time.time() + seconds))
    assert wire.decode(came, sent, KEY, "ns0").ahead == 0


@pytest.mark.parametrize("seconds", [20, -20])
def test_a_clock_that_is_wrong_is_known_by_the_servers(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    monkeypatch.setattr(wire, "time", SimpleNamespace(time=lambda: time.time() - seconds))
    sent = wire.encode_question(QUESTION, KEY)
    ahead = wire.decode(answered(sent, 'db.shop.example. 7 TXT "one"'), sent, KEY, "ns0").ahead
    assert ahead == pytest.approx(seconds, abs=1.5)
    assert abs(ahead) <= 20, "never more than what is certain"


@pytest.mark.parametrize(
    ("rtype", "value", "plain"),
    [
        ("AAAA", "2001:DB8:0:0::1", "2001:db8::1"),
        ("CNAME", "Elsewhere.Example.", "elsewhere.example."),
        ("A", "203.0.113.11", "203.0.113.11"),
    ],
)
def test_values_have_one_form(rtype: str, value: str, plain: str) -> None:
    sent = wire.encode_question(Question("db.shop.example.", rtype), None)
    answer = wire.decode(answered(sent, f"DB.shop.example. 7 {rtype} {value}", key=None), sent, None, "ns0")
    assert answer.values == (plain,)


def test_an_alias_in_place_of_the_record_is_seen() -> None:
    sent = wire.encode_question(Question("db.shop.example.", "A"), None)
    lines = ("db.shop.example. 7 CNAME x.example.", "x.example. 7 A 203.0.113.11")
    answer = wire.decode(answered(sent, *lines, key=None), sent, None, "ns0")
    assert (answer.values, answer.alias) == ((), "x.example.")


def test_an_answer_with_another_secret_is_not_believed() -> None:
    sent = wire.encode_question(QUESTION, KEY)
    with pytest.raises(DnsError, match="something between here and there") as caught:
        wire.decode(answered(sent, key=OTHER), sent, KEY, "ns0")
    assert caught.value.reason == "tsig_badsig"


def test_an_unsigned_answer_is_not_believed() -> None:
    sent = wire.encode_question(QUESTION, KEY)
    with pytest.raises(DnsError, match="did not sign its answer") as caught:
        wire.decode(answered(sent, key=None), sent, KEY, "ns0")
    assert caught.value.reason == "tsig_badsig"


def test_an_unsigned_error_is_taken_as_an_error() -> None:
    sent = wire.encode_question(QUESTION, KEY)
    refused = bytearray(answered(sent, key=None))
    refused[3] = (refused[3] & 0xF0) | 5
    assert wire.decode(bytes(refused), sent, KEY, "ns0").rcode == "REFUSED"


def test_an_answer_from_a_server_with_another_clock_shows_both(monkeypatch: pytest.MonkeyPatch) -> None:
    sent = wire.encode_question(QUESTION, KEY)
    real = time.time()
    monkeypatch.setattr(dns.message, "time", SimpleNamespace(time=lambda: real + 900))
    late = answered(sent)
    monkeypatch.undo()
    with pytest.raises(DnsError, match="differ by (899|900|901) s, allowed are 300 s") as caught:
        wire.decode(late, sent, KEY, "ns0")
    assert caught.value.reason == "tsig_badtime"
    assert caught.value.fields["delta_seconds"] == pytest.approx(900, abs=2)


@given(st.data())
def test_an_answer_cut_anywhere_is_an_error_and_no_crash(data: Any) -> None:
    sent = wire.encode_question(QUESTION, KEY)
    whole = answered(sent, 'db.shop.example. 7 TXT "one"')
    cut = whole[: data.draw(st.integers(12, len(whole) - 1))]
    with pytest.raises(DnsError) as caught:
        wire.decode(cut, sent, KEY, "ns0")
    assert caught.value.reason in ("formerr", "tsig_badsig")


@given(st.binary(min_size=12, max_size=80))
def test_noise_is_an_error_and_no_crash(noise: bytes) -> None:
    sent = wire.encode_question(QUESTION, KEY)
    try:
        answer = wire.decode(sent.id + noise[2:], sent, KEY, "ns0")
    except DnsError as error:
        assert error.reason.startswith(("formerr", "tsig_"))
    else:
        assert answer.rcode not in ("NOERROR", "NXDOMAIN")


def test_an_unsigned_message_has_no_signature() -> None:
    assert read_signature(wire.encode_question(QUESTION, None).wire) is None


def test_a_missing_library_is_named_with_the_line_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "MISSING", "No module named 'dns'")
    with pytest.raises(DnsError, match="-m pip install 'dnspython>=2.6,<3'") as caught:
        wire.require_library()
    assert caught.value.reason == "library_missing"
