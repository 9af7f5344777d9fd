//! `agent-source`: the command.
fn main() {}
