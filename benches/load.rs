//! A closed-loop HTTP load generator for `benches/run.sh`, cheaper than the servers it measures.
//!
//! * `load ask --to ADDRESS --path PATH [--host H] [--field 'Name: value']... [--connections N]
//!   [--millis N] [--requests N] [--close true] [--status N]` sends the same request again as soon as
//!   its answer is complete, and prints one line: requests a second, and the 50th and 99th percentile
//!   of the latency in microseconds.
//! * `load raw` takes the same arguments and prints one answer, byte for byte.
//! * `load hello --tcp ADDRESS --unix PATH --small FILE --large FILE` answers every request with one of
//!   two files and reads nothing of it but whether it ends in `/b54`: the limit that the kernel sets.
//!
//! An address is `host:port`, or the path of a Unix socket. One thread, level-triggered epoll, one read
//! for each event. Only answers with `Content-Length`, and those without a body, are understood.

use std::error::Error;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};

/// Room for a head and for what is read at once of a body.
const BUFFER: usize = 256 << 10;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let command = arguments.next().unwrap_or_default();
    let options = Options::read(arguments)?;
    match &*command {
        "ask" => ask(&options),
        "raw" => raw(&options),
        "hello" => hello(&options),
        other => Err(format!("{other:?} is none of ask, raw, hello").into()),
    }
}

/// `--name value` pairs, in order.
struct Options(Vec<(String, String)>);

impl Options {
    fn read(mut arguments: impl Iterator<Item = String>) -> Result<Self> {
        let mut pairs = Vec::new();
        while let Some(name) = arguments.next() {
            let name = name
                .strip_prefix("--")
                .ok_or(format!("{name:?} is no option"))?
                .to_owned();
            let value = arguments.next().ok_or(format!("--{name} has no value"))?;
            pairs.push((name, value));
        }
        Ok(Self(pairs))
    }

    fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |(known, _)| known == name)
            .map(|(_, value)| &**value)
    }

    fn get(&self, name: &str) -> Result<&str> {
        self.0
            .iter()
            .rfind(|(known, _)| known == name)
            .map(|(_, value)| &**value)
            .ok_or_else(|| format!("--{name} is missing").into())
    }

    fn number(&self, name: &str, default: u64) -> Result<u64> {
        self.get(name)
            .map_or(Ok(default), |value| Ok(value.parse()?))
    }

    /// The bytes of the request.
    fn request(&self) -> Result<Vec<u8>> {
        let to = self.get("to")?;
        let host = self.get("host").unwrap_or(to);
        let mut head = format!("GET {} HTTP/1.1\r\nHost: {host}\r\n", self.get("path")?);
        for field in self.all("field") {
            head.extend([field, "\r\n"]);
        }
        if self.closes() {
            head.push_str("Connection: close\r\n");
        }
        head.push_str("\r\n");
        Ok(head.into_bytes())
    }

    fn closes(&self) -> bool {
        self.get("close").is_ok_and(|value| value == "true")
    }
}

enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Stream {
    fn connect(to: &str) -> io::Result<Self> {
        if to.contains('/') {
            return UnixStream::connect(to).map(Self::Unix);
        }
        let stream = TcpStream::connect(to)?;
        stream.set_nodelay(true)?;
        Ok(Self::Tcp(stream))
    }

    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(into),
            Self::Unix(stream) => stream.read(into),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.write_all(bytes),
            Self::Unix(stream) => stream.write_all(bytes),
        }
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(stream) => stream.as_fd(),
            Self::Unix(stream) => stream.as_fd(),
        }
    }
}

/// A connection, and how far its answer has come.
struct Connection {
    stream: Stream,
    buffer: Box<[u8]>,
    /// Bytes of the head at the front of the buffer.
    filled: usize,
    /// Bytes of the body still to come, once the head is complete.
    missing: Option<usize>,
    asked: Instant,
}

impl Connection {
    fn open(to: &str, asked: Instant) -> io::Result<Self> {
        Ok(Self {
            stream: Stream::connect(to)?,
            buffer: vec![0; BUFFER].into(),
            filled: 0,
            missing: None,
            asked,
        })
    }

    fn ask(&mut self, request: &[u8], now: Instant) -> io::Result<()> {
        (self.filled, self.missing, self.asked) = (0, None, now);
        self.stream.write(request)
    }

    /// Reads once; whether the answer is complete.
    fn read(&mut self, status: u64) -> io::Result<bool> {
        let count = self.stream.read(&mut self.buffer[self.filled..])?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if let Some(missing) = self.missing {
            let left = missing
                .checked_sub(count)
                .ok_or(io::ErrorKind::InvalidData)?;
            self.missing = Some(left);
            return Ok(left == 0);
        }
        self.filled += count;
        let read = &self.buffer[..self.filled];
        let Some(end) = memchr::memmem::find(read, b"\r\n\r\n") else {
            return Ok(false);
        };
        let length = length(&read[..end + 2], status)?;
        let came = self.filled - end - 4;
        let left = length.checked_sub(came).ok_or(io::ErrorKind::InvalidData)?;
        self.missing = Some(left);
        Ok(left == 0)
    }
}

/// The length of the body after `head`, whose status must be `status`.
fn length(head: &[u8], status: u64) -> io::Result<usize> {
    let mut start = 0;
    let mut length = None;
    for end in memchr::memchr_iter(b'\n', head) {
        let line = &head[start..end - 1];
        if start == 0 {
            if line.get(9..12) != Some(status.to_string().as_bytes()) {
                return Err(io::Error::other(String::from_utf8_lossy(head).into_owned()));
            }
        } else if line.len() > 16 && line[..16].eq_ignore_ascii_case(b"content-length: ") {
            length = std::str::from_utf8(&line[16..])
                .ok()
                .and_then(|text| text.parse().ok());
        }
        start = end + 1;
    }
    if status == 304 {
        Ok(0)
    } else {
        length.ok_or_else(|| io::Error::other("no Content-Length"))
    }
}

fn raw(options: &Options) -> Result<()> {
    let mut stream = Stream::connect(options.get("to")?)?;
    stream.write(&options.request()?)?;
    let status = options.number("status", 200)?;
    let (mut all, mut buffer) = (Vec::new(), vec![0; BUFFER]);
    loop {
        let count = stream.read(&mut buffer)?;
        all.extend_from_slice(&buffer[..count]);
        let end = memchr::memmem::find(&all, b"\r\n\r\n");
        let complete = match end {
            Some(end) => all.len() >= end + 4 + length(&all[..end + 2], status)?,
            None => false,
        };
        if complete || count == 0 {
            return Ok(io::stdout().write_all(&all)?);
        }
    }
}

/// When to stop, and what was seen until then.
struct Tally {
    begun: Instant,
    until: Instant,
    most: usize,
    nanos: Vec<u32>,
}

impl Tally {
    fn begin(options: &Options) -> Result<Self> {
        let most = usize::try_from(options.number("requests", 50_000_000)?)?;
        let begun = Instant::now();
        let until = begun + Duration::from_millis(options.number("millis", 500)?);
        Ok(Self {
            begun,
            until,
            most,
            nanos: Vec::with_capacity(1 << 18),
        })
    }

    /// Counts an answer; whether there is time for another one.
    fn count(&mut self, asked: Instant, now: Instant) -> bool {
        self.nanos
            .push(u32::try_from((now - asked).as_nanos()).unwrap_or(u32::MAX));
        now < self.until && self.nanos.len() < self.most
    }

    #[expect(clippy::cast_precision_loss, reason = "numbers for people")]
    fn print(mut self) -> Result<()> {
        let took = self.begun.elapsed();
        self.nanos.sort_unstable();
        let at = |share: f64| {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "an index"
            )]
            let index = (self.nanos.len() as f64 * share) as usize;
            self.nanos
                .get(index)
                .map_or(0.0, |&nanos| f64::from(nanos) / 1000.0)
        };
        let rate = self.nanos.len() as f64 / took.as_secs_f64();
        writeln!(io::stdout(), "{rate:.0} {:.2} {:.2}", at(0.50), at(0.99))?;
        Ok(())
    }
}

fn ask(options: &Options) -> Result<()> {
    let request = options.request()?;
    let status = options.number("status", 200)?;
    let to = options.get("to")?;
    match options.number("connections", 1)? {
        1 if options.closes() => one_each(to, &request, status, Tally::begin(options)?),
        1 => one(to, &request, status, Tally::begin(options)?),
        many => several(to, &request, status, many, options),
    }
}

fn one(to: &str, request: &[u8], status: u64, mut tally: Tally) -> Result<()> {
    let mut connection = Connection::open(to, tally.begun)?;
    loop {
        connection.ask(request, Instant::now())?;
        while !connection.read(status)? {}
        if !tally.count(connection.asked, Instant::now()) {
            return tally.print();
        }
    }
}

/// A connection for each request, as `gh` does it.
fn one_each(to: &str, request: &[u8], status: u64, mut tally: Tally) -> Result<()> {
    let mut connection = Connection::open(to, tally.begun)?;
    loop {
        let asked = Instant::now();
        connection.stream = Stream::connect(to)?;
        connection.ask(request, asked)?;
        while !connection.read(status)? {}
        if !tally.count(asked, Instant::now()) {
            return tally.print();
        }
    }
}

fn several(to: &str, request: &[u8], status: u64, many: u64, options: &Options) -> Result<()> {
    let epoll = epoll::create(CreateFlags::CLOEXEC)?;
    let now = Instant::now();
    let mut connections = Vec::new();
    for index in 0..many {
        let connection = Connection::open(to, now)?;
        epoll::add(
            &epoll,
            &connection.stream,
            EventData::new_u64(index),
            EventFlags::IN,
        )?;
        connections.push(connection);
    }
    let mut tally = Tally::begin(options)?;
    for connection in &mut connections {
        connection.ask(request, Instant::now())?;
    }
    let mut events: Vec<Event> = Vec::with_capacity(connections.len());
    loop {
        epoll::wait(&epoll, spare_capacity(&mut events), None)?;
        for event in events.drain(..) {
            let connection = &mut connections[usize::try_from(event.data.u64())?];
            if !connection.read(status)? {
                continue;
            }
            let now = Instant::now();
            if !tally.count(connection.asked, now) {
                return tally.print();
            }
            connection.ask(request, now)?;
        }
    }
}

/// What the hello server waits for.
enum Source {
    Tcp(TcpListener),
    Unix(UnixListener),
    Client(Stream),
}

fn hello(options: &Options) -> Result<()> {
    let small = std::fs::read(options.get("small")?)?;
    let large = std::fs::read(options.get("large")?)?;
    let epoll = epoll::create(CreateFlags::CLOEXEC)?;
    let (tcp, unix) = (options.get("tcp")?, options.get("unix")?);
    let mut sources = vec![
        Some(Source::Tcp(TcpListener::bind(tcp)?)),
        Some(Source::Unix(UnixListener::bind(unix)?)),
    ];
    for (index, source) in (0..).zip(&sources) {
        let fd = match source {
            Some(Source::Tcp(listener)) => listener.as_fd(),
            Some(Source::Unix(listener)) => listener.as_fd(),
            _ => continue,
        };
        epoll::add(&epoll, fd, EventData::new_u64(index), EventFlags::IN)?;
    }
    let mut buffer = vec![0; 4096];
    let mut events: Vec<Event> = Vec::with_capacity(64);
    loop {
        epoll::wait(&epoll, spare_capacity(&mut events), None)?;
        for event in events.drain(..) {
            let index = usize::try_from(event.data.u64())?;
            let accepted = match &mut sources[index] {
                Some(Source::Tcp(listener)) => Stream::Tcp(listener.accept()?.0),
                Some(Source::Unix(listener)) => Stream::Unix(listener.accept()?.0),
                Some(Source::Client(client)) => {
                    if !answer(client, &mut buffer, &small, &large).unwrap_or(false) {
                        sources[index] = None;
                    }
                    continue;
                }
                None => continue,
            };
            welcome(&epoll, &mut sources, accepted)?;
        }
    }
}

/// Waits for what a new client says.
fn welcome(epoll: &OwnedFd, sources: &mut Vec<Option<Source>>, client: Stream) -> Result<()> {
    if let Stream::Tcp(stream) = &client {
        stream.set_nodelay(true)?;
    }
    let free = sources
        .iter()
        .position(Option::is_none)
        .unwrap_or(sources.len());
    epoll::add(
        epoll,
        &client,
        EventData::new_u64(u64::try_from(free)?),
        EventFlags::IN,
    )?;
    if free == sources.len() {
        sources.push(None);
    }
    sources[free] = Some(Source::Client(client));
    Ok(())
}

/// Answers what one read brings; whether the client is still there.
fn answer(client: &mut Stream, buffer: &mut [u8], small: &[u8], large: &[u8]) -> io::Result<bool> {
    let count = client.read(buffer)?;
    let line = buffer[..count]
        .split(|&byte| byte == b'\r')
        .next()
        .unwrap_or_default();
    let is_large = line
        .strip_suffix(b" HTTP/1.1")
        .is_some_and(|line| line.ends_with(b"/b54"));
    if count > 0 {
        client.write(if is_large { large } else { small })?;
    }
    Ok(count > 0)
}
