//! The nouns of a migration: names, schemas, keys, batches, phases, digests.
