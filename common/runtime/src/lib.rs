//! What both agents run on: journal, tasks, budget, backoff, configuration, telemetry.
