//! What holds of links whatever carries them.

mod lanes;
mod trust;
mod words;
