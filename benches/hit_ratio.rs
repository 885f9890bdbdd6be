//! How many requests the memory tier answers when it holds a tenth of what is asked for.
//!
//! Requests follow Zipf's law with exponent 1, as requests of a fleet do: some repositories are asked
//! for all the time, most hardly ever. Every fifth request is part of a scan over things that are never
//! asked for again. Row 17 of `README.md`: the hits among the requests that are no scan, to those of a
//! cache that knows the law and always holds the most popular tenth.

use std::io::{self, Write as _};

use bytes::Bytes;
use ghswarm::api::Key;
use ghswarm::store::Memory;
use ghswarm::store::memory::Named;
use ghswarm::time::Timestamp;

/// Things that are asked for.
const THINGS: usize = 100_000;
/// How many of them there is room for.
const HELD: usize = THINGS / 10;
/// Requests that are no scan; the first quarter fills the cache and is not counted.
const REQUESTS: usize = 2_000_000;
/// Bytes of a value, and those that the accounts of the tier add.
const VALUE: usize = 4096;
const FIXED: usize = 256;

fn main() -> io::Result<()> {
    let popularity = cumulated_popularity();
    let memory = Memory::new(((VALUE + FIXED) * HELD) as u64);
    let value = Bytes::from(vec![b'x'; VALUE]);
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let (mut hits, mut counted, mut scanned) = (0_u32, 0_u32, THINGS);
    for request in 0..REQUESTS {
        let wanted = random.next();
        let thing = popularity.partition_point(|&sum| sum < wanted);
        let hit = ask(&memory, thing, &value);
        if request >= REQUESTS / 4 {
            counted += 1;
            hits += u32::from(hit);
        }
        if request % 4 == 0 {
            scanned += 1;
            ask(&memory, scanned, &value);
        }
    }
    let ratio = f64::from(hits) / f64::from(counted);
    let best = popularity[HELD - 1];
    let share = ratio / best;
    let verdict = match share {
        0.96.. => "target",
        0.94.. => "floor",
        _ => "BELOW FLOOR",
    };
    writeln!(
        io::stdout(),
        "| 17 | hits of the memory tier, to the static optimum of {best:.3} | {ratio:.3} | {share:.2} \
         | 0.94 | 0.96 | {verdict} |",
    )
}

/// Looks for a thing and keeps it where it was missing; whether it was there.
fn ask(memory: &Memory, thing: usize, value: &Bytes) -> bool {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&thing.to_le_bytes());
    let key = Key::from_bytes(bytes);
    let hit = memory.named(&key).is_some();
    if !hit {
        let named = Named {
            operation: "bench".into(),
            key: Bytes::new(),
            value: value.clone(),
            stored_at: Timestamp::EPOCH,
            lifetime: std::time::Duration::MAX,
        };
        memory.put_named(key, std::sync::Arc::new(named));
    }
    hit
}

/// For each thing the probability that a request is for it or for a more popular one.
#[expect(clippy::cast_precision_loss, reason = "below 2^52")]
fn cumulated_popularity() -> Vec<f64> {
    let weights = (1..=THINGS).map(|rank| 1.0 / rank as f64);
    let total: f64 = weights.clone().sum();
    let mut sum = 0.0;
    weights
        .map(|weight| {
            sum += weight / total;
            sum
        })
        .collect()
}

/// Xorshift: the same requests in every run.
struct Random(u64);

impl Random {
    /// A number from 0 to 1.
    #[expect(clippy::cast_precision_loss, reason = "53 bits")]
    fn next(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }
}
