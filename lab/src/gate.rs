//! Gates: park chosen requests so that a test can order a race by hand.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use crate::matcher::Matcher;
use crate::request::Call;

/// Where a request is parked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Before the fake looks at its state.
    BeforeRead,
    /// When the answer is made but not sent.
    AfterRead,
}

/// A hold on requests; dropping it lets them go.
#[derive(Debug)]
pub struct Gate {
    bar: Arc<Bar>,
}

#[derive(Debug)]
struct Bar {
    matcher: Mutex<Matcher>,
    phase: Phase,
    arrived: watch::Sender<usize>,
    waiting: watch::Sender<usize>,
    open: watch::Sender<bool>,
}

impl Gate {
    /// Waits until a request has come to the gate.
    pub async fn arrived(&self) {
        self.arrivals(1).await;
    }

    /// Waits until `count` requests have come to the gate since it was made.
    pub async fn arrivals(&self, count: usize) {
        let mut seen = self.bar.arrived.subscribe();
        // The sender lives in this gate, so the wait can't fail.
        let _ = seen.wait_for(|arrived| *arrived >= count).await;
    }

    /// How many requests are parked now.
    pub fn waiting(&self) -> usize {
        *self.bar.waiting.borrow()
    }

    /// Lets parked and later requests go.
    pub fn release(&self) {
        self.bar.open.send_replace(true);
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.release();
    }
}

/// All gates of a fake.
#[derive(Debug, Default)]
pub(crate) struct Gates(Mutex<Vec<Arc<Bar>>>);

impl Gates {
    /// Adds a gate.
    pub(crate) fn hold(&self, matcher: Matcher, phase: Phase) -> Gate {
        let bar = Arc::new(Bar {
            matcher: Mutex::new(matcher),
            phase,
            arrived: watch::Sender::new(0),
            waiting: watch::Sender::new(0),
            open: watch::Sender::new(false),
        });
        let mut bars = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        bars.retain(|bar| !*bar.open.borrow());
        bars.push(bar.clone());
        Gate { bar }
    }

    /// Parks a request at every gate that means it, one after the other.
    pub(crate) async fn pass(&self, call: &Call, phase: Phase) {
        let bars = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        for bar in bars
            .iter()
            .filter(|bar| bar.phase == phase && !*bar.open.borrow())
        {
            let takes = bar
                .matcher
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .takes(call);
            if !takes {
                continue;
            }
            let mut open = bar.open.subscribe();
            let parked = Parked::new(bar);
            // The sender lives in `bar`, so the wait can't fail.
            let _ = open.wait_for(|open| *open).await;
            drop(parked);
        }
    }
}

/// Counts a parked request for as long as it is parked, also if its client goes away.
struct Parked<'a>(&'a Bar);

impl<'a> Parked<'a> {
    fn new(bar: &'a Bar) -> Self {
        bar.waiting.send_modify(|count| *count += 1);
        bar.arrived.send_modify(|count| *count += 1);
        Self(bar)
    }
}

impl Drop for Parked<'_> {
    fn drop(&mut self) {
        self.0.waiting.send_modify(|count| *count -= 1);
    }
}
