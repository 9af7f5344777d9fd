mod bad_input;
mod lanes;
mod trust;
