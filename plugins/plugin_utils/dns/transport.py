# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Bytes to and from name servers over TCP and UDP, every wait bounded. Standard library only."""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import struct
import time
from collections.abc import Iterator, Sequence

from ansible_collections.continuity.dr.plugins.plugin_utils.dns.settings import Address

#: Seconds after which the next address is tried while the first is still silent: a dead site's address
#: in front of the list must not cost its whole timeout at every step.
STAGGER_SECONDS = 0.25
_LARGEST_UDP = 65535


class NoConnection(OSError):
    """No address accepted a connection; the text says why, address by address."""


def connect_first(addresses: Sequence[Address], timeout: float) -> tuple[Address, socket.socket]:
    """Open a TCP connection to the first address that accepts one, in order of preference.

    Later addresses are started while earlier ones are silent. Raises NoConnection after ``timeout`` seconds
    or as soon as every address has refused.
    """
    failures: dict[Address, str] = {}
    waiting, deadline, next_start = list(addresses), time.monotonic() + timeout, 0.0
    with selectors.DefaultSelector() as selector, contextlib.ExitStack() as opened:
        while waiting or selector.get_map():
            now = time.monotonic()
            if now >= deadline:
                break
            if waiting and (now >= next_start or not selector.get_map()):
                next_start = now + STAGGER_SECONDS
                _start(waiting.pop(0), selector, opened, failures)
                continue
            for key, _events in selector.select((min(deadline, next_start) if waiting else deadline) - now):
                winner = key.fileobj
                if not isinstance(winner, socket.socket):
                    raise AssertionError("only sockets are registered")
                selector.unregister(winner)
                error = winner.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if not error:
                    return key.data, _dup(winner)
                failures[key.data] = _reason(error)
    told = [f"{address}: {failures.get(address, f'no answer within {timeout:g} s')}" for address in addresses]
    raise NoConnection("; ".join(told))


def _start(
    address: Address, selector: selectors.BaseSelector, opened: contextlib.ExitStack, failures: dict[Address, str]
) -> None:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        connection = opened.enter_context(socket.socket(family, socket.SOCK_STREAM))
        connection.setblocking(False)
        # Small messages are sent at once: waiting to fill a segment would cost a delayed acknowledgement.
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.connect((address.host, address.port))
    except BlockingIOError:
        pass
    except OSError as error:
        failures[address] = _reason(error.errno)
        return
    selector.register(connection, selectors.EVENT_WRITE, address)


def _dup(winner: socket.socket) -> socket.socket:
    """The winner outlives the stack that closes every attempt."""
    kept = winner.dup()
    kept.setblocking(True)
    return kept


def _reason(error: int | None) -> str:
    return os.strerror(error).lower() if error else "unknown error"


def send_frames(connection: socket.socket, messages: Sequence[bytes]) -> None:
    """Send messages in one write, each behind its length."""
    connection.sendall(b"".join(struct.pack("!H", len(message)) + message for message in messages))


def receive_frames(connection: socket.socket, deadline: float) -> Iterator[bytes]:
    """Yield messages as they arrive, in the server's order; ends at the deadline. Raises OSError when it hangs up."""
    buffer = b""
    while True:
        while len(buffer) >= 2 and len(buffer) >= 2 + struct.unpack_from("!H", buffer)[0]:
            end = 2 + struct.unpack_from("!H", buffer)[0]
            yield buffer[2:end]
            buffer = buffer[end:]
        left = deadline - time.monotonic()
        if left <= 0:
            return
        connection.settimeout(left)
        _acknowledge_at_once(connection)
        try:
            received = connection.recv(65536)
        except TimeoutError:
            return
        if not received:
            raise ConnectionError("the server closed the connection")
        buffer += received


def _acknowledge_at_once(connection: socket.socket) -> None:
    """Keep the kernel from delaying acknowledgements until the next read.

    A server that waits for the acknowledgement of one small answer before it sends the next (Nagle) would
    cost 40 ms in the middle of an outage. The kernel forgets the setting, so it is set before each read.
    """
    quick = getattr(socket, "TCP_QUICKACK", None)  # Linux
    if quick is not None:
        connection.setsockopt(socket.IPPROTO_TCP, quick, 1)


def ask_udp(address: Address, message: bytes, timeout: float) -> bytes | None:
    """Send one message over UDP, again each third of ``timeout`` while it is silent; return the answer with its id.

    None where no answer came. Answers to other messages are ignored.
    """
    deadline = time.monotonic() + timeout
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as channel:
            # Connected: datagrams of other senders are dropped, a refused port is noticed at once.
            channel.connect((address.host, address.port))
            while (left := deadline - time.monotonic()) > 0:
                channel.send(message)
                answer = _datagram(channel, message[:2], time.monotonic() + min(left, timeout / 3))
                if answer:
                    return answer
    except OSError:
        return None
    return None


def _datagram(channel: socket.socket, message_id: bytes, deadline: float) -> bytes | None:
    while (left := deadline - time.monotonic()) > 0:
        channel.settimeout(left)
        try:
            answer = channel.recv(_LARGEST_UDP)
        except TimeoutError:
            return None
        if answer[:2] == message_id and len(answer) >= 12:
            return answer
    return None


def ask_tcp(address: Address, message: bytes, timeout: float) -> bytes | None:
    """The same over TCP, for answers too large for a datagram."""
    deadline = time.monotonic() + timeout
    try:
        _address, connection = connect_first([address], timeout)
        with connection:
            send_frames(connection, [message])
            return next((answer for answer in receive_frames(connection, deadline) if answer[:2] == message[:2]), None)
    except OSError:
        return None
