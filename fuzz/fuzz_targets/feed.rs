#![no_main]
#![allow(dead_code)]
#[path = "../src/verify_targets.rs"]
mod targets;
libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::feed(data));
