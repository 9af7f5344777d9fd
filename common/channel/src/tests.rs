//! What holds of links whatever carries them.

mod guarded;
mod lanes;
mod limited;
mod trust;
mod words;
