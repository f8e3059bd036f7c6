# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The TSIG record at the end of an answer, read without the library.

The library raises on the error code before it shows the server's clock, which is what a person needs to
see when the clocks differ.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from ansible_collections.continuity.dr.plugins.plugin_utils.dns.errors import TSIG_ERRORS, DnsError
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.guard import timestamp

_TSIG = 250
_BADTIME = 18


@dataclass(frozen=True)
class Signature:
    """What the TSIG record of a message says. Times are Unix seconds; ``server_time`` only with BADTIME."""

    error: int
    time_signed: int
    fudge: int
    server_time: int | None = None


def read_signature(message: bytes) -> Signature | None:
    """The TSIG record of a message, None where it has none. Raises ValueError for a message cut short."""
    try:
        questions, *others = struct.unpack_from("!HHHH", message, 4)
        at = 12
        for _question in range(questions):
            at = _skip_name(message, at) + 4
        for left in range(sum(others), 0, -1):
            at = _skip_name(message, at)
            rtype, _class, _ttl, length = struct.unpack_from("!HHIH", message, at)
            at += 10
            if left == 1 and rtype == _TSIG:
                return _parse(message, at)
            at += length
    except (struct.error, IndexError) as error:
        raise ValueError("the answer is cut short") from error
    return None


def signature_error(signature: Signature, server: str, key: str, now: float) -> DnsError | None:
    """The error a server's TSIG record reports, None where it reports none."""
    if signature.error == 0:
        return None
    reason, text = TSIG_ERRORS.get(signature.error, ("tsig_badsig", "{server} refused the signature of key {key}"))
    if signature.error == _BADTIME:
        theirs = signature.server_time if signature.server_time is not None else signature.time_signed
        return clock_error(server, now, theirs, signature.fudge)
    return DnsError(reason, text.format(server=server, key=key), server=server, key=key)


def clock_error(server: str, ours: float, theirs: float, fudge: int) -> DnsError:
    """Both clocks, how far they are apart and how far they may be."""
    return DnsError(
        "tsig_badtime",
        f"the clocks differ by {abs(ours - theirs):.0f} s, allowed are {fudge} s: here it is {timestamp(ours)}, "
        f"at {server} {timestamp(theirs)}. Put the wrong clock right",
        server=server,
        local_time=timestamp(ours),
        server_time=timestamp(theirs),
        delta_seconds=round(theirs - ours),
        fudge_seconds=fudge,
    )


def _skip_name(message: bytes, at: int) -> int:
    while message[at]:
        if message[at] >= 0xC0:  # a pointer ends the name
            return at + 2
        at += message[at] + 1
    return at + 1


def _parse(message: bytes, at: int) -> Signature:
    at = _skip_name(message, at)
    high, low, fudge, mac_length = struct.unpack_from("!HIHH", message, at)
    at += 10 + mac_length
    _original_id, error, other_length = struct.unpack_from("!HHH", message, at)
    server_time = None
    if error == _BADTIME and other_length == 6:
        other_high, other_low = struct.unpack_from("!HI", message, at + 6)
        server_time = (other_high << 32) | other_low
    return Signature(error, (high << 32) | low, fudge, server_time)
