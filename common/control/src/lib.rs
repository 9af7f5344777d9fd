//! The operator's side of both agents: the admin API and the command line.
