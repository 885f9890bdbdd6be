//! A daemon of this process on a host of the network: its sockets are there, its clock is the story's.

use std::fs;
use std::sync::mpsc;
use std::thread::JoinHandle;

use ghswarm::daemon::{Config, Daemon, Ready};
use ghswarm::stats::Snapshot;
use ghswarm::swarm::Client;
use rustix::fd::AsFd as _;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tokio::sync::watch;

use super::network::Network;

/// A daemon on a thread of its own, which ends when this is dropped.
pub(super) struct Member {
    pub(super) ready: Ready,
    pub(super) swarm: Client,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<Snapshot>>,
}

impl Member {
    /// Starts a daemon on `host`. Whatever it binds or dials, it does from there.
    pub(super) fn start(network: &Network, host: usize, config: Config) -> Self {
        let namespace = network.path(host);
        let (started, ready) = mpsc::channel();
        let stop = watch::Sender::new(false);
        let stopped = stop.subscribe();
        let thread = std::thread::spawn(move || {
            let namespace = fs::File::open(namespace).unwrap();
            let kind = Some(LinkNameSpaceType::Network);
            move_into_link_name_space(namespace.as_fd(), kind).unwrap();
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let daemon = Daemon::bind(config, None).unwrap();
                let swarm = daemon.swarm().expect("a swarm");
                started.send((daemon.ready().clone(), swarm)).unwrap();
                daemon.run(stopped).await.unwrap()
            })
        });
        let (ready, swarm) = ready.recv().unwrap();
        Self {
            ready,
            swarm,
            stop,
            thread: Some(thread),
        }
    }

    /// Ends it; what it counted.
    pub(super) fn stop(mut self) -> Snapshot {
        self.stop.send_replace(true);
        self.thread.take().unwrap().join().unwrap()
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
