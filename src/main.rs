//! The `ghswarm` binary.

fn main() {}
