#!/usr/bin/env python3
"""Writes vectors.json: what each side of an admission answers to what it hears.

A second implementation on purpose, written from the description of the protocol with Python's own library alone, so that
the vectors do not repeat a mistake of the first. From the repository: `python3 tests/data/admission/vectors.py`.
"""

import hashlib
import hmac
import json
import pathlib
import struct

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
G = (
    15112221349535400772501151409588531511454012693041857206046113283949847762202,
    46316835694926478169428394003475163141307993866256225615783033603165251855960,
)


def add(a, b):
    (x, y), (u, v) = a, b
    k = D * x * u * y * v
    return (
        (x * v + u * y) * pow(1 + k, P - 2, P) % P,
        (y * v + x * u) * pow(1 - k, P - 2, P) % P,
    )


def public(seed):
    """RFC 8032, 5.1.5."""
    digest = bytearray(hashlib.sha512(seed).digest()[:32])
    digest[0] &= 248
    digest[31] = digest[31] & 127 | 64
    scalar, point, power = int.from_bytes(digest, "little"), (0, 1), G
    while scalar:
        if scalar & 1:
            point = add(point, power)
        power, scalar = add(power, power), scalar >> 1
    return (point[1] | (point[0] & 1) << 255).to_bytes(32, "little")


def peer_id(seed):
    """The identity multihash of the protobuf of an Ed25519 key, as libp2p's peer ids have it."""
    return bytes([0, 36, 8, 1, 18, 32]) + public(seed)


def keyed(key, message):
    return hmac.new(key, message, hashlib.sha256).digest()


def cbor(value):
    """RFC 8949 in its shortest form, as far as the frames need it."""

    def head(major, number):
        for limit, code, form in ((24, 0, ""), (2**8, 24, ">B"), (2**16, 25, ">H"), (2**32, 26, ">I")):
            if number < limit:
                if not form:
                    return bytes([major << 5 | number])
                return bytes([major << 5 | code]) + struct.pack(form, number)
        return bytes([major << 5 | 27]) + struct.pack(">Q", number)

    if isinstance(value, int):
        return head(0, value)
    if isinstance(value, bytes):
        return head(2, len(value)) + value
    return head(4, len(value)) + b"".join(map(cbor, value))


def pool_tag(name):
    return hashlib.sha256(b"ghswarm/1/pool\0" + name.lower().encode()).digest()


def ticket_of(seed, expires):
    return keyed(keyed(seed, b"ghswarm/1/tickets"), struct.pack(">Q", expires))


def admission_key(secret, name, cost):
    """PBKDF2, then HKDF (RFC 5869) of one block."""
    salt = pool_tag(name)[:16]
    master = hashlib.pbkdf2_hmac("sha256", secret, salt, cost)
    return keyed(keyed(salt, master), b"ghswarm/1/admission\x01")


POOL, OTHER_POOL = "octo-org/app", "octo-org/other"
SECRET, OTHER_SECRET = b"a secret of the pool for vectors", b"the secret of some other members"
COST = 100_000
NOW = 1_800_000_000
EXPIRES = NOW + 5400
DAY = 86_400
DIALER, LISTENER, THIRD = (bytes([fill]) * 32 for fill in (1, 2, 3))
NONCE_D, NONCE_L, NONCE_X = (bytes(range(start, start + 32)) for start in (0, 64, 128))
KEY = admission_key(SECRET, POOL, COST)
TICKET, METHOD_SECRET = 1, 2


def hello(methods, nonce=NONCE_D, pool=POOL):
    return [1, methods, nonce, keyed(nonce, pool_tag(pool))[:16]]


def mac(role, method, key, **other):
    told = {
        "domain": b"ghswarm/1/admission\0",
        "pool": POOL,
        "dialer": DIALER,
        "listener": LISTENER,
        "nonce_d": NONCE_D,
        "nonce_l": NONCE_L,
        "expires": EXPIRES if method == TICKET else 0,
        "cost": COST if method == METHOD_SECRET else 0,
    } | other
    ids = [peer_id(told["dialer"]), peer_id(told["listener"])]
    return keyed(
        key,
        told["domain"]
        + role.encode()
        + bytes([0, method])
        + pool_tag(told["pool"])
        + b"".join(bytes([len(id)]) + id for id in ids)
        + told["nonce_d"]
        + told["nonce_l"]
        + struct.pack(">Q", told["expires"])
        + struct.pack(">I", told["cost"]),
    )


CASES = []


def case(name, role, *steps, secret=SECRET, tickets=True, share_private=False, ticket=True, says=None):
    """Each step: what is heard, what that comes to, and the answer if there is one."""
    raw = lambda frame: (frame if isinstance(frame, bytes) else cbor(frame)).hex()
    told = {
        "name": name,
        "role": role,
        "pool": POOL,
        "secret": secret and secret.decode(),
        "cost": COST,
        "tickets": tickets,
        "share_private": share_private,
        "now": NOW,
        "us": (DIALER if role == "dialer" else LISTENER).hex(),
        "peer": peer_id(LISTENER if role == "dialer" else DIALER).hex(),
        "nonce": (NONCE_D if role == "dialer" else NONCE_L).hex(),
    }
    if role == "dialer":
        told["ticket"] = ticket and {"expires": EXPIRES, "secret": ticket_of(LISTENER, EXPIRES).hex()} or None
        methods = (TICKET if ticket and tickets else 0) | (METHOD_SECRET if secret else 0)
        told["says"] = raw(says or hello(methods))
    told["steps"] = [
        {"hears": raw(heard), "comes_to": to} | ({"says": raw(answer[0])} if answer else {})
        for heard, to, *answer in steps
    ]
    CASES.append(told)


def listener(name, *steps, **given):
    case(name, "listener", *steps, **given)


def dialer(name, *steps, **given):
    case(name, "dialer", *steps, **given)


def ticket_key(expires=EXPIRES):
    return ticket_of(LISTENER, expires)


def challenge(method, **given):
    return [2, method, given.get("nonce", NONCE_L), given.get("cost", COST if method == METHOD_SECRET else 0)]


def ticket_proof(expires=EXPIRES, key=None, role="dialer", **other):
    return [3, expires, mac(role, TICKET, key or ticket_key(expires), expires=expires, **other)]


def secret_proof(key=KEY, role="dialer", **other):
    return [3, 0, mac(role, METHOD_SECRET, key, **other)]


ASK_TICKET = (hello(1), "say", challenge(TICKET))
ASK_SECRET = (hello(3), "say", challenge(METHOD_SECRET))
WELCOME_TICKET = [4, mac("listener", TICKET, ticket_key())]
WELCOME_SECRET = [4, mac("listener", METHOD_SECRET, KEY)]
READY = ([5], "ready")

# The listener, as it should be.
listener("a ticket is good", ASK_TICKET, (ticket_proof(), "proven ticket public", WELCOME_TICKET), READY)
listener("without a secret of our own a ticket is asked for", (hello(3), "say", challenge(TICKET)),
         (ticket_proof(), "proven ticket public", WELCOME_TICKET), READY, secret=None)
listener("private entries are shared by a ticket if we say so", ASK_TICKET,
         (ticket_proof(), "proven ticket repository", WELCOME_TICKET), READY, share_private=True)
listener("a secret is good, and preferred", ASK_SECRET,
         (secret_proof(), "proven secret repository", WELCOME_SECRET), READY)
listener("a secret alone", (hello(2), "say", challenge(METHOD_SECRET)),
         (secret_proof(), "proven secret repository", WELCOME_SECRET), READY, tickets=False)
listener("methods of later versions are ignored", (hello(0xF1), "say", challenge(TICKET)),
         (ticket_proof(), "proven ticket public", WELCOME_TICKET), READY)
LAST = NOW + DAY
listener("a ticket of a whole day", ASK_TICKET,
         (ticket_proof(LAST), "proven ticket public", [4, mac("listener", TICKET, ticket_key(LAST), expires=LAST)]), READY)

# The listener: nothing to prove with, or for somebody else.
listener("another pool", (hello(3, pool=OTHER_POOL), "refuse other-pool"))
listener("the pool's name under another nonce", ([1, 3, NONCE_D, keyed(NONCE_X, pool_tag(POOL))[:16]], "refuse other-pool"))
listener("no method at all", (hello(0), "refuse no-common-method"))
listener("no method at all, and another pool: the pool is not told", (hello(0, pool=OTHER_POOL), "refuse no-common-method"))
listener("an unknown method alone", (hello(4), "refuse no-common-method"))
listener("a ticket where none is accepted", (hello(1), "refuse no-common-method"), tickets=False)
listener("a secret where there is none", (hello(2), "refuse no-common-method"), secret=None)
listener("our own nonce comes back", (hello(1, nonce=NONCE_L), "refuse admission-malformed"))

# The listener: tickets that are none.
listener("a ticket of another peer", ASK_TICKET,
         (ticket_proof(key=ticket_of(THIRD, EXPIRES)), "refuse wrong-proof"))
listener("a proof for another listener", ASK_TICKET, (ticket_proof(listener=THIRD), "refuse wrong-proof"))
listener("a proof of another dialer", ASK_TICKET, (ticket_proof(dialer=THIRD), "refuse wrong-proof"))
listener("a proof for another nonce of ours", ASK_TICKET, (ticket_proof(nonce_l=NONCE_X), "refuse wrong-proof"))
listener("a proof for another nonce of its own", ASK_TICKET, (ticket_proof(nonce_d=NONCE_X), "refuse wrong-proof"))
listener("a proof for another pool", ASK_TICKET, (ticket_proof(pool=OTHER_POOL), "refuse wrong-proof"))
listener("a proof of the wrong role", ASK_TICKET, (ticket_proof(role="listener"), "refuse wrong-proof"))
listener("a proof with the two swapped", ASK_TICKET,
         (ticket_proof(dialer=LISTENER, listener=DIALER), "refuse wrong-proof"))
listener("a proof of another version", ASK_TICKET,
         (ticket_proof(domain=b"ghswarm/2/admission\0"), "refuse wrong-proof"))
listener("a proof with a cost", ASK_TICKET, (ticket_proof(cost=COST), "refuse wrong-proof"))
listener("a proof for the other method", ASK_TICKET, (secret_proof(), "refuse ticket-expired"))
listener("a ticket that runs out now", ASK_TICKET, (ticket_proof(NOW), "refuse ticket-expired"))
listener("a ticket that ran out", ASK_TICKET, (ticket_proof(NOW - 1), "refuse ticket-expired"))
listener("a ticket that never was", ASK_TICKET, (ticket_proof(0), "refuse ticket-expired"))
listener("a ticket of more than a day", ASK_TICKET, (ticket_proof(NOW + DAY + 1), "refuse ticket-expired"))
listener("a ticket for ever", ASK_TICKET, (ticket_proof(2**64 - 1), "refuse ticket-expired"))
listener("a ticket that is prolonged", ASK_TICKET,
         ([3, EXPIRES + 60, mac("dialer", TICKET, ticket_key(), expires=EXPIRES + 60)], "refuse wrong-proof"))
listener("a ticket that is shortened", ASK_TICKET, ([3, EXPIRES - 60, ticket_proof()[2]], "refuse wrong-proof"))
listener("no proof at all", ASK_TICKET, ([3, EXPIRES, bytes(32)], "refuse wrong-proof"))
FLIPPED = ticket_proof()[2][:31] + bytes([ticket_proof()[2][31] ^ 1])
listener("a proof with its last bit flipped", ASK_TICKET, ([3, EXPIRES, FLIPPED], "refuse wrong-proof"))

# The listener: secrets that are none.
listener("another secret", ASK_SECRET,
         (secret_proof(admission_key(OTHER_SECRET, POOL, COST)), "refuse wrong-proof"))
listener("the same secret in another pool", ASK_SECRET,
         (secret_proof(admission_key(SECRET, OTHER_POOL, COST)), "refuse wrong-proof"))
listener("the same secret at another cost", ASK_SECRET,
         (secret_proof(admission_key(SECRET, POOL, COST + 1), cost=COST + 1), "refuse wrong-proof"))
listener("a lower cost in the proof", ASK_SECRET, (secret_proof(cost=1), "refuse wrong-proof"))
listener("a secret's proof for another listener", ASK_SECRET, (secret_proof(listener=THIRD), "refuse wrong-proof"))
listener("a secret's proof of another dialer", ASK_SECRET, (secret_proof(dialer=THIRD), "refuse wrong-proof"))
listener("our own welcome as a proof", ASK_SECRET, ([3, 0, WELCOME_SECRET[1]], "refuse wrong-proof"))
listener("a ticket where the secret is asked for", ASK_SECRET, (ticket_proof(), "refuse admission-malformed"))
listener("a secret that expires", ASK_SECRET,
         ([3, EXPIRES, mac("dialer", METHOD_SECRET, KEY, expires=EXPIRES)], "refuse admission-malformed"))

# The listener: not what comes next.
listener("a proof without a challenge", (ticket_proof(), "refuse admission-malformed"))
listener("ready at once", ([5], "refuse admission-malformed"))
listener("a challenge for the listener", (challenge(TICKET), "refuse admission-malformed"))
listener("a welcome for the listener", (WELCOME_TICKET, "refuse admission-malformed"))
listener("hello twice", ASK_TICKET, (hello(1), "refuse admission-malformed"))
listener("ready without a proof", ASK_TICKET, ([5], "refuse admission-malformed"))
listener("our own challenge comes back", ASK_TICKET, (challenge(TICKET), "refuse admission-malformed"))
PROVEN = (ticket_proof(), "proven ticket public", WELCOME_TICKET)
listener("a proof twice", ASK_TICKET, PROVEN, (ticket_proof(), "refuse admission-malformed"))
listener("something after ready", ASK_TICKET, PROVEN, READY, ([5], "refuse admission-malformed"))
listener("a second proof after a wrong one", ASK_TICKET, ([3, EXPIRES, bytes(32)], "refuse wrong-proof"),
         (ticket_proof(), "refuse admission-malformed"))
listener("the dialer refuses our terms", ASK_SECRET, ([0, 6], "refused key-cost"))
listener("the dialer does not believe us", ASK_TICKET, PROVEN, ([0, 4], "refused wrong-proof"))
listener("a reason of a later version", ASK_TICKET, ([0, 99], "refused unknown-refusal"))

# The listener: no frames.
ROT = "refuse admission-malformed"
GOOD = cbor(hello(1))
listener("empty", (b"", ROT))
listener("an empty array", (b"\x80", ROT))
listener("no array", (b"\x01", ROT))
listener("a map", (b"\xa1\x01\x02", ROT))
listener("a frame of a later version", ([6, 1], "refuse admission-version"))
listener("a frame of a much later version", ([2**32 - 1], "refuse admission-version"))
listener("a type that is no small number", ([2**32], ROT))
listener("a negative type", (b"\x81\x20", ROT))
listener("a hello with more in it", (hello(1) + [0], ROT))
listener("a hello with less in it", (hello(1)[:3], ROT))
listener("a hello with another after it", (GOOD + GOOD, ROT))
listener("a hello with a byte after it", (GOOD + b"\0", ROT))
listener("a short nonce", ([1, 1, NONCE_D[:31], bytes(16)], ROT))
listener("a long nonce", ([1, 1, NONCE_D + b"\0", bytes(16)], ROT))
listener("a short pool", ([1, 1, NONCE_D, bytes(15)], ROT))
listener("a nonce as text", (GOOD.replace(b"\x58\x20", b"\x78\x20"), ROT))
listener("an array without an end", (b"\x9f" + GOOD[1:] + b"\xff", ROT))
listener("a number in a longer form", (b"\x84\x18\x01" + GOOD[2:], ROT))
listener("a length in a longer form", (b"\x98\x04" + GOOD[1:], ROT))
listener("too many methods", ([1, 2**32, NONCE_D, bytes(16)], ROT))
listener("a tagged frame", (b"\xc1" + GOOD, ROT))
listener("a frame that is too long", (GOOD + bytes(1024), ROT))
listener("an array that says it has 2^64 - 1 elements", (b"\x9b" + b"\xff" * 8, ROT))
listener("a nonce that says it has 2^63 bytes", (b"\x84\x01\x01\x5b\x80" + bytes(7), ROT))
listener("a short mac", ASK_TICKET, ([3, EXPIRES, bytes(31)], ROT))
listener("a long mac", ASK_TICKET, ([3, EXPIRES, bytes(33)], ROT))

# The dialer, as it should be.
ASKED_TICKET = (challenge(TICKET), "say", ticket_proof())
ASKED_SECRET = (challenge(METHOD_SECRET), "say", secret_proof())
dialer("welcome by a ticket", ASKED_TICKET, (WELCOME_TICKET, "proven ticket public", [5]), secret=None)
dialer("welcome by a ticket although there is a secret", ASKED_TICKET, (WELCOME_TICKET, "proven ticket public", [5]))
dialer("welcome by a secret", ASKED_SECRET, (WELCOME_SECRET, "proven secret repository", [5]))
dialer("welcome by a secret alone", ASKED_SECRET, (WELCOME_SECRET, "proven secret repository", [5]), ticket=False)
dialer("private entries for whoever gave us a ticket", ASKED_TICKET,
       (WELCOME_TICKET, "proven ticket repository", [5]), share_private=True)

# The dialer: terms that are none.
dialer("a method that was not offered: secret", (challenge(METHOD_SECRET), "refuse no-common-method"), secret=None)
dialer("a method that was not offered: ticket", (challenge(TICKET), "refuse no-common-method"), ticket=False)
dialer("tickets are not shown", (challenge(TICKET), "refuse no-common-method"), tickets=False)
dialer("nothing to offer", ([0, 2], "refused no-common-method"), secret=None, ticket=False)
dialer("an unknown method", (challenge(3), "refuse no-common-method"))
dialer("no method", (challenge(0), "refuse no-common-method"))
dialer("a downgraded cost", (challenge(METHOD_SECRET, cost=1), "refuse key-cost"))
dialer("no cost", (challenge(METHOD_SECRET, cost=0), "refuse key-cost"))
dialer("a cost just below the least", (challenge(METHOD_SECRET, cost=99_999), "refuse key-cost"))
dialer("another cost", (challenge(METHOD_SECRET, cost=COST + 1), "refuse key-cost"))
dialer("a cost without end", (challenge(METHOD_SECRET, cost=2**32 - 1), "refuse key-cost"))
dialer("a ticket that costs", (challenge(TICKET, cost=COST), "refuse admission-malformed"))
dialer("our own nonce comes back as a challenge", (challenge(TICKET, nonce=NONCE_D), "refuse admission-malformed"))

# The dialer: a listener that proves nothing.
dialer("our own proof comes back", ASKED_SECRET, ([4, secret_proof()[2]], "refuse wrong-proof"))
dialer("our own ticket's proof comes back", ASKED_TICKET, ([4, ticket_proof()[2]], "refuse wrong-proof"))
dialer("a listener without the ticket", ASKED_TICKET,
       ([4, mac("listener", TICKET, ticket_of(THIRD, EXPIRES))], "refuse wrong-proof"))
dialer("a listener without the secret", ASKED_SECRET,
       ([4, mac("listener", METHOD_SECRET, admission_key(OTHER_SECRET, POOL, COST))], "refuse wrong-proof"))
dialer("a welcome of another listener", ASKED_SECRET,
       ([4, mac("listener", METHOD_SECRET, KEY, listener=THIRD)], "refuse wrong-proof"))
dialer("a welcome for another dialer", ASKED_SECRET,
       ([4, mac("listener", METHOD_SECRET, KEY, dialer=THIRD)], "refuse wrong-proof"))
dialer("a welcome for another nonce of ours", ASKED_SECRET,
       ([4, mac("listener", METHOD_SECRET, KEY, nonce_d=NONCE_X)], "refuse wrong-proof"))
dialer("a welcome for another nonce of its own", ASKED_SECRET,
       ([4, mac("listener", METHOD_SECRET, KEY, nonce_l=NONCE_X)], "refuse wrong-proof"))
dialer("a welcome by the other method", ASKED_SECRET, (WELCOME_TICKET, "refuse wrong-proof"))
dialer("no welcome at all", ASKED_SECRET, ([4, bytes(32)], "refuse wrong-proof"))

# The dialer: not what comes next, and refusals.
dialer("our own hello comes back", (hello(3), "refuse admission-malformed"))
dialer("a welcome without a challenge", (WELCOME_SECRET, "refuse admission-malformed"))
dialer("a challenge twice", ASKED_SECRET, (challenge(METHOD_SECRET), "refuse admission-malformed"))
dialer("ready from the listener", ASKED_SECRET, ([5], "refuse admission-malformed"))
dialer("a proof from the listener", (secret_proof(), "refuse admission-malformed"))
dialer("a welcome twice", ASKED_SECRET, (WELCOME_SECRET, "proven secret repository", [5]),
       (WELCOME_SECRET, "refuse admission-malformed"))
dialer("a frame of a later version to the dialer", ([6], "refuse admission-version"))
for code, reason in enumerate(
    ["admission-version", "no-common-method", "other-pool", "wrong-proof", "ticket-expired", "key-cost",
     "admission-malformed", "not-now", "unknown-refusal"], start=1
):
    dialer(f"refused: {reason}", ([0, code], f"refused {reason}"))
dialer("refused after the proof", ASKED_TICKET, ([0, 5], "refused ticket-expired"))
dialer("refused without a code", ([0], ROT))
dialer("refused with a code that is none", ([0, 2**32], ROT))

file = pathlib.Path(__file__).with_name("vectors.json")
file.write_text("[\n" + ",\n".join(json.dumps(told) for told in CASES) + "\n]\n")
print(len(CASES), "cases")
