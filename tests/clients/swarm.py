"""A peer of another make: py-libp2p. Identifies, pings, and asks to be admitted.

    python swarm.py MULTIADDR POOL [EXPIRES TICKET]

Prints one JSON object: what identify told, the answer to the admission, and whether the exchange could be
opened before and after. POOL is the pool's name, EXPIRES are Unix seconds, TICKET is hexadecimal.
"""

import hashlib
import hmac
import json
import os
import struct
import sys

import multiaddr
import trio
from libp2p import new_host
from libp2p.host.ping import PingService
from libp2p.identity.identify.pb.identify_pb2 import Identify
from libp2p.peer.peerinfo import info_from_p2p_addr

ADMISSION = "/ghswarm/admission/1"
EXCHANGE = "/github-cache/1.0.0"
IDENTIFY = "/ipfs/id/1.0.0"
BY_TICKET = 1


def head(major, length):
    """The head of a CBOR item (RFC 8949, 3)."""
    if length < 24:
        return bytes([major << 5 | length])
    for info, form, limit in ((24, ">B", 8), (25, ">H", 16), (26, ">I", 32), (27, ">Q", 64)):
        if length < 1 << limit:
            return bytes([major << 5 | info]) + struct.pack(form, length)
    raise ValueError(length)


def encode(array):
    items = (head(0, item) if isinstance(item, int) else head(2, len(item)) + item for item in array)
    return head(4, len(array)) + b"".join(items)


def decode(data):
    """Arrays of unsigned integers and byte strings: as far as admission goes."""
    at = 0

    def following():
        nonlocal at
        major, length = data[at] >> 5, data[at] & 31
        at += 1
        if length >= 24:
            size = 1 << (length - 24)
            length = int.from_bytes(data[at : at + size], "big")
            at += size
        if major == 0:
            return length
        if major == 2:
            at += length
            return data[at - length : at]
        if major == 4:
            return [following() for _ in range(length)]
        raise ValueError(f"unexpected CBOR type {major}")

    return following()


async def exactly(stream, length):
    data = b""
    while len(data) < length:
        chunk = await stream.read(length - len(data))
        if not chunk:
            raise EOFError
        data += chunk
    return data


async def send(stream, array):
    frame = encode(array)
    await stream.write(struct.pack(">H", len(frame)) + frame)


async def receive(stream):
    (length,) = struct.unpack(">H", await exactly(stream, 2))
    return decode(await exactly(stream, length))


def proof(role, expires, secret, tag, dialer, listener, nonce, challenge):
    message = b"".join(
        [
            b"ghswarm/1/admission\0",
            role,
            b"\0",
            bytes([BY_TICKET]),
            tag,
            bytes([len(dialer)]) + dialer,
            bytes([len(listener)]) + listener,
            nonce,
            challenge,
            struct.pack(">QI", expires, 0),
        ]
    )
    return hmac.digest(secret, message, "sha256")


async def ask(host, peer, pool, ticket):
    """Asks to be admitted: `{"admitted": true}`, or the code of the refusal."""
    stream = await host.new_stream(peer, [ADMISSION])
    tag = hashlib.sha256(b"ghswarm/1/pool\0" + pool.lower().encode()).digest()
    nonce = os.urandom(32)
    asked = hmac.digest(nonce, tag, "sha256")[:16]
    await send(stream, [1, BY_TICKET if ticket else 0, nonce, asked])
    challenge = await receive(stream)
    if challenge[0] != 2:
        return {"admitted": False, "code": challenge[1]}
    expires, secret = ticket
    ids = host.get_id().to_bytes(), peer.to_bytes()
    both = (expires, secret, tag, *ids, nonce, challenge[2])
    await send(stream, [3, expires, proof(b"dialer", *both)])
    welcome = await receive(stream)
    if welcome[0] != 4:
        return {"admitted": False, "code": welcome[1]}
    mutual = hmac.compare_digest(welcome[1], proof(b"listener", *both))
    await send(stream, [5])
    return {"admitted": mutual}


async def opens(host, peer, protocol):
    try:
        with trio.fail_after(5):
            stream = await host.new_stream(peer, [protocol])
            await stream.reset()
        return True
    except Exception:  # what it is depends on who noticed first
        return False


async def identify(host, peer):
    stream = await host.new_stream(peer, [IDENTIFY])
    length = shift = 0
    while True:
        (byte,) = await exactly(stream, 1)
        length |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            break
    told = Identify()
    told.ParseFromString(await exactly(stream, length))
    return told


async def main(address, pool, expires=None, secret=None):
    ticket = (int(expires), bytes.fromhex(secret)) if secret else None
    host = new_host()
    info = info_from_p2p_addr(multiaddr.Multiaddr(address))
    with trio.fail_after(20):
        async with host.run(listen_addrs=[]):
            await host.connect(info)
            told = await identify(host, info.peer_id)
            pings = await PingService(host).ping(info.peer_id, 1)
            before = await opens(host, info.peer_id, EXCHANGE)
            answer = await ask(host, info.peer_id, pool, ticket)
            after = answer["admitted"] and await opens(host, info.peer_id, EXCHANGE)
            said = {
                "agent": told.agent_version,
                "protocols": list(told.protocols),
                "addresses": [str(multiaddr.Multiaddr(each)) for each in told.listen_addrs],
                "pinged": len(pings) == 1,
                "exchange_before": before,
                **answer,
                "exchange_after": after,
            }
            print(json.dumps(said), flush=True)


trio.run(main, *sys.argv[1:])
