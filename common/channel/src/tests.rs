//! What holds of links whatever carries them.

mod guarded;
mod lanes;
mod trust;
mod words;
