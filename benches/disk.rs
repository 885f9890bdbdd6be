//! What the disk tier costs: a hit, a miss, a write, and opening it.
//!
//! Rows 14 and 15 of `README.md`. Every hit is decoded and checked, as a request has it.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use ghswarm::api::page::Tail;
use ghswarm::api::{Key, Operation, Shareable, Vary};
use ghswarm::clock::Clock;
use ghswarm::digest::Digest;
use ghswarm::http_cache::FieldBlock;
use ghswarm::secret::{CredentialId, LocalSecret};
use ghswarm::store::disk::Config;
use ghswarm::store::{Disk, Entry, Grant, Memory, Scheme, Slot, Variant};
use ghswarm::time::Timestamp;

/// Reads that are timed, one by one.
const READS: u32 = 20_000;
/// Bytes of a body.
const BODY: usize = 4096;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut out = io::stdout().lock();
    for (held, packs) in [(10_000, false), (100_000, false), (100_000, true)] {
        // Beside the build, not in a file system that is in memory.
        let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
        measure(&mut out, directory.path(), held, packs)?;
    }
    Ok(())
}

fn measure(
    out: &mut impl io::Write,
    directory: &Path,
    held: u32,
    packs: bool,
) -> Result<(), Box<dyn std::error::Error>> {
    let bodies = if packs { "JSON" } else { "incompressible" };
    writeln!(out, "{bodies}")?;
    fill(out, directory, held, packs)?;
    let mut opened: Vec<Duration> = Vec::new();
    for _ in 0..11 {
        let start = Instant::now();
        let disk = open(directory)?;
        opened.push(start.elapsed());
        drop(disk);
    }
    opened.sort_unstable();
    let open_ms = opened[5].as_secs_f64() * 1000.0;

    let disk = open(directory)?;
    let memory = Memory::new(1 << 30);
    for n in 0..held.min(10_000) {
        memory.change(key(n), |_| entry(n, packs));
    }
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    // Warm: the system has all pages, and so have the processor's caches what they can.
    for n in 0..held {
        disk.get(&key(n)).ok_or("lost")?;
    }
    let warm = |n: u32| memory.entry(&key(n)).map(drop).ok_or("lost");
    let in_memory = timed(&mut random, held.min(10_000), warm)?;
    let on_disk = timed(&mut random, held, |n| {
        disk.get(&key(n)).map(drop).ok_or("lost")
    })?;
    let negative = timed(&mut random, held, |n| {
        disk.get(&key(n + held)).map_or(Ok(()), |_| Err("found"))
    })?;
    writeln!(
        out,
        "  memory hit p50 {:.2} p99 {:.2}, disk hit p50 {:.2} p99 {:.2}, disk miss p50 {:.2} p99 {:.2} us; open {open_ms:.2} ms",
        in_memory.0, in_memory.1, on_disk.0, on_disk.1, negative.0, negative.1,
    )?;
    let added = on_disk.0 - in_memory.0;
    let verdict = |value: f64, target: f64, floor: f64| match value {
        _ if value <= target => "target",
        _ if value <= floor => "floor",
        _ => "BELOW FLOOR",
    };
    writeln!(
        out,
        "| 14 | disk hit over a memory hit, {held} {bodies}, us | {added:.2} | | 12 | 5 | {} |",
        verdict(added, 5.0, 12.0),
    )?;
    writeln!(
        out,
        "| 15 | opening {held} {bodies}, ms | {open_ms:.2} | | 100 | 10 | {} |",
        verdict(open_ms, 10.0, 100.0),
    )?;
    Ok(())
}

/// Writes everything, and says how fast that was and what it takes.
fn fill(
    out: &mut impl io::Write,
    directory: &Path,
    held: u32,
    packs: bool,
) -> Result<(), Box<dyn std::error::Error>> {
    let resident = resident()?;
    let disk = open(directory)?;
    let start = Instant::now();
    for n in 0..held {
        disk.put(key(n), Slot::Answers(Arc::new(entry(n, packs))));
        if n % 2048 == 2047 {
            flush(&disk)?;
        }
    }
    flush(&disk)?;
    let filled = start.elapsed();
    let grown = self::resident()?.saturating_sub(resident) / 1024;
    let bytes = disk.counts().bytes;
    drop(disk);
    let size: u64 = std::fs::read_dir(directory)?
        .filter_map(|entry| entry.ok()?.metadata().ok())
        .map(|found| found.len())
        .sum();
    writeln!(
        out,
        "{held} entries: {:.0} put/s, {} B accounted and {} B on disk each, {grown} KiB more resident",
        f64::from(held) / filled.as_secs_f64(),
        bytes / u64::from(held),
        size / u64::from(held),
    )?;
    Ok(())
}

/// Median and 99th percentile in microseconds.
fn timed(
    random: &mut Random,
    among: u32,
    read: impl Fn(u32) -> Result<(), &'static str>,
) -> Result<(f64, f64), &'static str> {
    let mut times = Vec::with_capacity(READS as usize);
    for _ in 0..READS {
        let n = random.next(among);
        let start = Instant::now();
        read(n)?;
        times.push(start.elapsed());
    }
    times.sort_unstable();
    let at = |share: usize| times[times.len() * share / 100].as_secs_f64() * 1e6;
    Ok((at(50), at(99)))
}

fn open(directory: &Path) -> Result<Disk, ghswarm::store::disk::Error> {
    let config = Config {
        directory: directory.to_owned(),
        limit: 4 << 30,
    };
    Disk::open(&config, &LocalSecret::new([7; 32]), Clock::system())
}

fn flush(disk: &Disk) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    runtime.block_on(disk.flush());
    Ok(())
}

fn key(n: u32) -> Key {
    Key::from_bytes(*Digest::of([n.to_le_bytes().as_slice()]).as_bytes())
}

/// An answer as GitHub gives it: a body, and the fields of the one who received it.
fn entry(n: u32, packs: bool) -> Entry {
    let mut body = Vec::with_capacity(BODY + 128);
    let mut block = Digest::of([n.to_be_bytes().as_slice()]);
    while body.len() < BODY {
        if packs {
            let line = format!(
                "{{\"id\":{n},\"node_id\":\"{}\",\"private\":false,\"html_url\":\"https://github.com/o/r\"}},",
                &block.hex()[..16]
            );
            body.extend_from_slice(line.as_bytes());
        } else {
            body.extend_from_slice(block.as_bytes());
        }
        block = Digest::of([block.as_bytes().as_slice()]);
    }
    body.truncate(BODY);
    let shared = FieldBlock::from_pairs([(
        "content-type",
        b"application/json; charset=utf-8".as_slice(),
    )]);
    let fields: Vec<_> = (0..12).map(|n| format!("x-github-field-{n}")).collect();
    let fields = FieldBlock::from_pairs(
        fields
            .iter()
            .map(|name| (name.as_str(), b"a value of a usual length".as_slice())),
    );
    let variant = Variant {
        digest: Digest::of([body.as_slice()]),
        body: Bytes::from(body),
        shared,
        links: None,
        tail: Arc::new(Tail::NotAList),
        scheme: Scheme::Hashed(Vary {
            accept: true,
            authorization: true,
            cookie: false,
        }),
        shareable: Shareable::Everyone,
        origin_lifetime: Duration::from_secs(60),
        validated_at: Timestamp::from_secs(1),
        asked_at: 1,
        kinds: 1,
        public: None,
        was_public: false,
    };
    let grant = Grant {
        credential: CredentialId::from_bytes([1; 16]),
        digest: variant.digest,
        granted_at: Timestamp::from_secs(1),
        asked_at: 1,
        received: true,
        etag: None,
        fields,
        links: None,
    };
    let entry = Entry {
        label: "GET api.github.com/repos/o/r".into(),
        operation: Operation::GetRepoInfo.name(),
        ..Entry::default()
    };
    entry.with_variant(variant).with_grant(grant)
}

/// Bytes of memory that this process has.
fn resident() -> io::Result<u64> {
    let pages = std::fs::read_to_string("/proc/self/statm")?;
    let pages = pages.split(' ').nth(1).and_then(|pages| pages.parse().ok());
    Ok(pages.unwrap_or(0_u64) * 4096)
}

/// Xorshift: the same reads in every run.
struct Random(u64);

impl Random {
    /// A number below `end`.
    fn next(&mut self, end: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        u32::try_from((self.0 >> 33) % u64::from(end)).unwrap_or(0)
    }
}
