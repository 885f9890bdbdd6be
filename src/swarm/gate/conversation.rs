//! The admission's stream: frames in, frames out. What they mean is decided in
//! [`crate::swarm::admission`].

use std::io;
use std::time::Duration;

use futures_util::{AsyncReadExt as _, AsyncWriteExt as _};
use libp2p::swarm::Stream;

use crate::clock::Clock;
use crate::swarm::admission::frame::{length, with_length};
use crate::swarm::admission::{Dialer, Frame, Grant, Listener, Reason, Step};

/// How long the other side has to read why it is refused, and to hang up. When we close the connection, words that
/// were not read yet are lost with it.
const PARTING: Duration = Duration::from_secs(1);

/// One side of an admission.
#[derive(Debug)]
pub(super) enum Side {
    /// We dialled.
    Dialer(Dialer),
    /// We were dialled.
    Listener(Box<Listener>),
}

/// The other side has proved what it had to. The conversation rests until the inner behaviour has given a handler.
pub(super) struct Proven {
    pub(super) grant: Grant,
    stream: Stream,
    side: Side,
    say: Vec<u8>,
}

/// Both know that it is so.
pub(super) struct Confirmed {
    pub(super) grant: Grant,
    /// Nothing is left to say on it.
    pub(super) stream: Stream,
}

/// It came to nothing.
pub(super) struct Failed {
    pub(super) by_us: bool,
    pub(super) reason: Reason,
    /// Where the reason can be told.
    pub(super) stream: Option<Stream>,
}

impl Failed {
    fn lost(_: io::Error) -> Self {
        Self {
            by_us: false,
            reason: Reason::HungUp,
            stream: None,
        }
    }

    fn refused(reason: Reason) -> Self {
        Self {
            by_us: false,
            reason,
            stream: None,
        }
    }
}

impl Side {
    fn step(&mut self, frame: &[u8], clock: &Clock) -> Step {
        match self {
            Self::Dialer(dialer) => dialer.step(frame),
            Self::Listener(listener) => listener.step(frame, clock.now()),
        }
    }
}

/// From the first frame until the other side has proved what it had to. `hello`: what is said first.
pub(super) async fn prove(
    mut stream: Stream,
    mut side: Side,
    hello: Option<Vec<u8>>,
    clock: Clock,
) -> Result<Proven, Failed> {
    if let Some(hello) = hello {
        say(&mut stream, &hello).await.map_err(Failed::lost)?;
    }
    loop {
        match hear(&mut stream, &mut side, &clock).await? {
            Step::Say(frame) => say(&mut stream, &frame).await.map_err(Failed::lost)?,
            Step::Proven { grant, say } => {
                return Ok(Proven {
                    grant,
                    stream,
                    side,
                    say,
                });
            }
            Step::Refused(reason) => return Err(Failed::refused(reason)),
            Step::Refuse(reason) => return Err(we_refuse(stream, reason)),
            Step::Ready => return Err(we_refuse(stream, Reason::Malformed)),
        }
    }
}

/// From there until both know that it is so.
pub(super) async fn confirm(proven: Proven, clock: Clock) -> Result<Confirmed, Failed> {
    let Proven {
        grant,
        mut stream,
        mut side,
        say: last,
    } = proven;
    say(&mut stream, &last).await.map_err(Failed::lost)?;
    if matches!(side, Side::Listener(_)) {
        match hear(&mut stream, &mut side, &clock).await? {
            Step::Ready => {}
            Step::Refused(reason) => return Err(Failed::refused(reason)),
            Step::Refuse(reason) => return Err(we_refuse(stream, reason)),
            Step::Say(_) | Step::Proven { .. } => {
                return Err(we_refuse(stream, Reason::Malformed));
            }
        }
    }
    Ok(Confirmed { grant, stream })
}

/// Ends the stream properly: one that is only dropped is reset, and may take its last words with it.
pub(super) async fn end(mut stream: Stream) {
    let _ = tokio::time::timeout(PARTING, stream.close()).await;
}

/// Says why, and waits for the other side to hang up.
pub(super) async fn part(mut stream: Stream, reason: Reason) {
    let Some(code) = reason.code() else {
        return;
    };
    let parting = async {
        say(&mut stream, &Frame::Refuse { code }.encode()).await?;
        stream.close().await?;
        let mut rest = [0; 64];
        while stream.read(&mut rest).await? > 0 {}
        // It has nothing more to say, which does not mean that it has read what we said.
        std::future::pending::<io::Result<()>>().await
    };
    // The connection closes next, whatever comes of it.
    let _ = tokio::time::timeout(PARTING, parting).await;
}

/// What `Proven` comes to if the inner behaviour does not want the connection.
impl Proven {
    pub(super) fn unwanted(self, reason: Reason) -> Failed {
        we_refuse(self.stream, reason)
    }
}

fn we_refuse(stream: Stream, reason: Reason) -> Failed {
    Failed {
        by_us: true,
        reason,
        stream: Some(stream),
    }
}

async fn hear(stream: &mut Stream, side: &mut Side, clock: &Clock) -> Result<Step, Failed> {
    let mut prefix = [0; 2];
    stream.read_exact(&mut prefix).await.map_err(Failed::lost)?;
    let Ok(length) = length(prefix) else {
        return Ok(Step::Refuse(Reason::Malformed));
    };
    let mut frame = vec![0; length];
    stream.read_exact(&mut frame).await.map_err(Failed::lost)?;
    Ok(side.step(&frame, clock))
}

async fn say(stream: &mut Stream, frame: &[u8]) -> io::Result<()> {
    stream.write_all(&with_length(frame)).await?;
    stream.flush().await
}
