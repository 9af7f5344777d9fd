//! `agent-source`: the command.

use control::Program;
use std::process::ExitCode;

/// Batches are large blocks that come and go; this allocator keeps them, where the system's gives each back to the kernel.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    control::run(Program::Source, agent_source::serve)
}
