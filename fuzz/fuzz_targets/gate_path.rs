#![no_main]
#![allow(dead_code)]
#[path = "../src/gate_targets.rs"]
mod targets;
libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::gate_path(data));
