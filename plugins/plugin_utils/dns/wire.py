# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Questions, changes and answers to and from bytes. The only file that knows dnspython."""

from __future__ import annotations

import ipaddress
import sys
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ansible_collections.continuity.dr.plugins.plugin_utils.dns.change import Answer, Change, Question
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.errors import DnsError
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.settings import Key
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.signature import (
    clock_error,
    read_signature,
    signature_error,
)

try:
    # Imported with the action, before Ansible forks its workers: they inherit it instead of loading it again
    # inside the outage. The record types are named because dnspython would load them on first use.
    import dns.exception
    import dns.flags
    import dns.message
    import dns.name
    import dns.rcode
    import dns.rdatatype
    import dns.rdtypes.ANY.CNAME
    import dns.rdtypes.ANY.NS
    import dns.rdtypes.ANY.SOA
    import dns.rdtypes.ANY.TSIG
    import dns.rdtypes.ANY.TXT
    import dns.rdtypes.IN.A
    import dns.rdtypes.IN.AAAA
    import dns.tsig
    import dns.update

    MISSING: str | None = None
except ImportError as missing:
    MISSING = str(missing)

if TYPE_CHECKING:
    import dns.rrset


@dataclass(frozen=True)
class Sent:
    """A message on its way, with what is needed to check its answer."""

    wire: bytes
    message: Any
    question: Question | None = None
    #: our own clock when it was made: the answer was signed after it
    made: float = 0.0

    @property
    def id(self) -> bytes:
        """The two bytes by which the answer is recognised."""
        return self.wire[:2]


def require_library() -> None:
    """Raise DnsError where dnspython is missing, with the line that installs it for this very Python."""
    if MISSING:
        raise DnsError(
            "library_missing",
            f"dnspython is missing on the controller ({MISSING}); install it: "
            f"{sys.executable} -m pip install 'dnspython>=2.6,<3'",
        )


def encode_question(question: Question, key: Key | None) -> Sent:
    """A query without recursion: only the server's own data counts."""
    message = dns.message.make_query(question.name, question.type)
    message.flags = dns.flags.Flag(0)
    return _sign(message, key, question)


def encode_change(change: Change, key: Key | None) -> Sent:
    """One UPDATE message with its prerequisites."""
    message = dns.update.UpdateMessage(change.zone)
    for required in change.require:
        name = dns.name.from_text(required.name)
        if required.stored:
            message.present(name, required.type, *required.stored)
        else:
            message.absent(name, required.type)
    for put in change.put:
        message.replace(dns.name.from_text(put.name), put.ttl, put.type, *put.stored)
    for probe in change.probe:
        message.delete(dns.name.from_text(probe.name), probe.type, *probe.stored)
    return _sign(message, key, None)


def decode(wire: bytes, sent: Sent, key: Key | None, server: str) -> Answer:
    """Check an answer and read it. Raises DnsError for a signature or a message that is wrong.

    An unsigned answer to a signed message is believed only when it is an error: some servers do not sign
    those, and nothing but a failure can follow from it.
    """
    try:
        signature = read_signature(wire)
        if signature and key:
            error = signature_error(signature, server, key.name, time.time())
            if error:
                raise error
        answer = _parse(wire, sent, key, server, signed=signature is not None)
    except (ValueError, dns.exception.DNSException) as broken:
        text = f"{server} sent an answer that cannot be read ({type(broken).__name__})"
        raise DnsError("formerr", text, server=server) from None
    rcode = dns.rcode.to_text(answer.rcode())
    if key and signature is None and rcode in ("NOERROR", "NXDOMAIN"):
        text = f"{server} did not sign its answer: it cannot be trusted"
        raise DnsError("tsig_badsig", text, server=server, key=key.name)
    if sent.question is None:
        return Answer(rcode)
    ahead = clocks_apart(signature.time_signed, sent.made, time.time()) if key and signature else 0.0
    return replace(_read(answer, sent.question, rcode), ahead=ahead)


def clocks_apart(signed: int, made: float, read: float) -> float:
    """Seconds by which the server's clock is ahead of ours for certain; 0 where both may show the same.

    ``signed`` is a whole second of the server's and lies somewhere between two looks at our own clock. However long an
    answer waited to be read, the wait is no difference between the clocks: it would eat up the margin of a claim.

    >>> [clocks_apart(signed, made=100.2, read=107.0) for signed in (98, 100, 107, 110)]
    [-1.2, 0.0, 0.0, 3.0]
    """
    return round(max(0.0, signed - read) or min(0.0, signed + 1 - made), 3)


def truncated(wire: bytes) -> bool:
    """The answer did not fit; ask again over TCP."""
    return bool(wire[2] & 0x02)


def _sign(message: Any, key: Key | None, question: Question | None) -> Sent:
    made = time.time()
    if key:
        message.use_tsig(dns.tsig.Key(key.name, key.secret, key.algorithm))
    return Sent(message.to_wire(), message, question, made)


def _parse(wire: bytes, sent: Sent, key: Key | None, server: str, signed: bool) -> Any:
    if not (key and signed):
        return dns.message.from_wire(wire)
    try:
        return dns.message.from_wire(wire, keyring=sent.message.keyring, request_mac=sent.message.mac)
    except dns.tsig.BadTime:
        signature = read_signature(wire)
        if signature is None:
            raise AssertionError("a signature that is out of time is there") from None
        raise clock_error(server, time.time(), signature.time_signed, signature.fudge) from None
    except (dns.tsig.BadSignature, dns.tsig.BadKey, dns.tsig.BadAlgorithm, dns.message.UnknownTSIGKey):
        text = f"the answer of {server} is not signed with key {key.name}: something between here and there answered"
        raise DnsError("tsig_badsig", text, server=server, key=key.name) from None


def _read(answer: Any, question: Question, rcode: str) -> Answer:
    authoritative = bool(answer.flags & dns.flags.AA)
    name, rtype = dns.name.from_text(question.name), dns.rdatatype.from_text(question.type)
    found = alias = None
    for rrset in answer.answer:
        if rrset.name == name and rrset.rdtype == rtype:
            found = rrset
        elif rrset.name == name and rrset.rdtype == dns.rdatatype.CNAME:
            alias = rrset[0].target.to_text().lower()
    if found is None:
        return Answer(rcode, authoritative, alias=alias)
    stored = tuple(sorted(rdata.to_text() for rdata in found))
    return Answer(rcode, authoritative, tuple(sorted(_plain(rdata) for rdata in found)), int(found.ttl), stored)


def _plain(rdata: Any) -> str:
    """A value as people write it: TXT without quotes and joined, addresses in their one short form."""
    if rdata.rdtype == dns.rdatatype.TXT:
        return b"".join(rdata.strings).decode("utf-8", "backslashreplace")
    if rdata.rdtype == dns.rdatatype.AAAA:
        return str(ipaddress.IPv6Address(rdata.address))
    if rdata.rdtype in (dns.rdatatype.CNAME, dns.rdatatype.NS):
        return str(rdata.target.to_text().lower())
    return str(rdata.to_text())
