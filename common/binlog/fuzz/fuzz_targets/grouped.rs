//! Any Parquet as a file of several fields, framed as one.

#![no_main]

#[path = "../checks.rs"]
mod checks;
#[path = "../contained.rs"]
mod contained;

libfuzzer_sys::fuzz_target!(init: contained::let_pass(), |bytes: &[u8]| {
    checks::run(env!("CARGO_BIN_NAME"), bytes);
});
