//! Any frames of a data lane, up to the batch that they carry.

#![no_main]

#[path = "../checks.rs"]
mod checks;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| checks::run(env!("CARGO_BIN_NAME"), bytes));
