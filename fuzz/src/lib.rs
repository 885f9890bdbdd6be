//! The pure modules of `ghswarm`, compiled for fuzzing, and what is asserted of them.

// The modules and the properties name each other as they do in the real crate.
extern crate self as ghswarm;
pub use rows::{api, digest, http_cache, seal, secret, swarm, time};

#[path = "../../src"]
mod rows {
    pub mod digest;
    pub mod secret;
    pub mod time;

    pub mod api;
    pub mod http_cache {
        pub mod control;
    }
    pub mod seal;

    pub mod swarm {
        pub mod admission {
            pub mod frame;
        }
        mod pool;
        pub mod wire;

        pub use pool::{BadName, Names, Pool, PoolSecret, WireKey};
    }
}

pub mod properties;
