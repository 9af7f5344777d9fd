//! `agent-target`: the command.
fn main() {}
