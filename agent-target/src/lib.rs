//! The agent beside the target Milvus.
