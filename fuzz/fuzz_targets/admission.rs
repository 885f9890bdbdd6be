#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ghswarm_fuzz::properties::admission(data));
