//! Every fault of the machine that a daemon runs on, and of the programs that are its clients: what the
//! client got, that memory stayed bounded, and that the daemon recovered.

mod clients;
mod clock;
mod descriptors;
mod disk;
mod logs;
mod machine;
mod processes;
mod requests;
mod state;
