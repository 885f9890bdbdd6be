// A peer of another make: js-libp2p. Identifies, pings, and asks to be admitted.
//
//   node --input-type=module --eval "$(cat swarm.mjs)" MULTIADDR POOL [EXPIRES TICKET]
//
// Prints one JSON object: what identify told before and after, the answer to the admission, and whether
// the exchange could be opened. POOL is the pool's name, EXPIRES are Unix seconds, TICKET is hexadecimal.
import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

// js-libp2p is written for Node 22; this is what it uses of it.
Promise.withResolvers ??= function withResolvers() {
  const made = {};
  made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }));
  return made;
};

const { createLibp2p } = await import('libp2p');
const { noise } = await import('@chainsafe/libp2p-noise');
const { yamux } = await import('@chainsafe/libp2p-yamux');
const { identify } = await import('@libp2p/identify');
const { ping } = await import('@libp2p/ping');
const { tcp } = await import('@libp2p/tcp');
const { multiaddr } = await import('@multiformats/multiaddr');

const ADMISSION = '/ghswarm/admission/1';
const EXCHANGE = '/github-cache/1.0.0';
const BY_TICKET = 1;

// CBOR (RFC 8949) as far as admission goes: arrays of unsigned integers and byte strings.
function head(major, length) {
  const bytes = Buffer.alloc(9);
  if (length < 24) return Buffer.from([(major << 5) | length]);
  if (length < 0x100) return Buffer.from([(major << 5) | 24, length]);
  bytes[0] = (major << 5) | 27;
  bytes.writeBigUInt64BE(BigInt(length), 1);
  if (length < 0x10000) return Buffer.concat([Buffer.from([(major << 5) | 25]), bytes.subarray(7)]);
  if (length < 0x100000000) return Buffer.concat([Buffer.from([(major << 5) | 26]), bytes.subarray(5)]);
  return bytes;
}

function encode(array) {
  const items = array.map((item) =>
    typeof item === 'number' ? head(0, item) : Buffer.concat([head(2, item.length), item]));
  return Buffer.concat([head(4, array.length), ...items]);
}

function decode(bytes) {
  let at = 0;
  const next = () => {
    const first = bytes[at++];
    const [major, info] = [first >> 5, first & 31];
    let length = info;
    if (info >= 24) {
      const size = 1 << (info - 24);
      length = Number(BigInt(`0x${bytes.subarray(at, at + size).toString('hex')}`));
      at += size;
    }
    if (major === 0) return length;
    if (major === 2) return bytes.subarray(at, (at += length));
    if (major === 4) return Array.from({ length }, next);
    throw new Error(`unexpected CBOR type ${major}`);
  };
  return next();
}

// Frames: two bytes of length, then CBOR.
function framed(stream) {
  let held = Buffer.alloc(0);
  const chunks = stream[Symbol.asyncIterator]();
  return {
    send(array) {
      const frame = encode(array);
      const length = Buffer.alloc(2);
      length.writeUInt16BE(frame.length);
      stream.send(Buffer.concat([length, frame]));
    },
    async receive() {
      while (held.length < 2 || held.length < 2 + held.readUInt16BE()) {
        const { value, done } = await chunks.next();
        if (done) return null;
        held = Buffer.concat([held, value.subarray()]);
      }
      const end = 2 + held.readUInt16BE();
      const frame = decode(held.subarray(2, end));
      held = held.subarray(end);
      return frame;
    },
  };
}

function proof(role, ticket, facts) {
  const number = (value, size) => Buffer.from(BigInt(value).toString(16).padStart(size * 2, '0'), 'hex');
  const named = (id) => Buffer.concat([Buffer.from([id.length]), id]);
  return createHmac('sha256', ticket.secret)
    .update('ghswarm/1/admission\0').update(role).update('\0').update(Buffer.from([BY_TICKET]))
    .update(facts.tag).update(named(facts.dialer)).update(named(facts.listener))
    .update(facts.nonce).update(facts.challenge)
    .update(number(ticket.expires, 8)).update(number(0, 4))
    .digest();
}

/** Asks to be admitted: `{admitted: true}`, or the code of the refusal. */
async function ask(connection, own, pool, ticket) {
  const frames = framed(await connection.newStream(ADMISSION));
  const tag = createHash('sha256').update('ghswarm/1/pool\0').update(pool).digest();
  const nonce = randomBytes(32);
  const asked = createHmac('sha256', nonce).update(tag).digest().subarray(0, 16);
  frames.send([1, ticket ? BY_TICKET : 0, nonce, asked]);
  const challenge = await frames.receive();
  if (challenge?.[0] !== 2) return { admitted: false, code: challenge?.[1] ?? null };
  const facts = {
    tag, nonce, challenge: challenge[2], dialer: own, listener: Buffer.from(connection.remotePeer.toMultihash().bytes),
  };
  frames.send([3, ticket.expires, proof('dialer', ticket, facts)]);
  const welcome = await frames.receive();
  if (welcome?.[0] !== 4) return { admitted: false, code: welcome?.[1] ?? null };
  const mutual = timingSafeEqual(welcome[1], proof('listener', ticket, facts));
  frames.send([5]);
  return { admitted: mutual };
}

async function opens(connection, protocol) {
  try {
    const stream = await connection.newStream(protocol, { signal: AbortSignal.timeout(5000) });
    stream.abort(new Error('only tried'));
    return true;
  } catch {
    return false;
  }
}

const [address, pool, expires, secret] = process.argv.slice(1);
const ticket = secret && { expires: Number(expires), secret: Buffer.from(secret, 'hex') };
const node = await createLibp2p({
  transports: [tcp()],
  connectionEncrypters: [noise()],
  streamMuxers: [yamux()],
  services: { identify: identify({ runOnConnectionOpen: false }), ping: ping() },
});
const connection = await node.dial(multiaddr(address), { signal: AbortSignal.timeout(5000) });
const seen = await node.services.identify.identify(connection);
const round_trip = await node.services.ping.ping(connection.remotePeer);
const before = await opens(connection, EXCHANGE);
const own = Buffer.from(node.peerId.toMultihash().bytes);
const answer = await ask(connection, own, pool.toLowerCase(), ticket);
const after = answer.admitted ? await opens(connection, EXCHANGE) : false;
console.log(JSON.stringify({
  agent: seen.agentVersion,
  protocols: seen.protocols,
  addresses: seen.listenAddrs.map(String),
  pinged: round_trip >= 0,
  exchange_before: before,
  ...answer,
  exchange_after: after,
}));
await node.stop();
