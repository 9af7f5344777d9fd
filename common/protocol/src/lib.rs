//! The rules of the conversation between two agents, without I/O and without a clock.
