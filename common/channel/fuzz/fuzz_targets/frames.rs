//! Any bytes as a frame, and what its reader makes of the frame.

#![no_main]

#[path = "../checks.rs"]
mod checks;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| checks::run(env!("CARGO_BIN_NAME"), bytes));
