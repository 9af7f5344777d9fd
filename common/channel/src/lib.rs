//! The mutually authenticated channel between two agents.
