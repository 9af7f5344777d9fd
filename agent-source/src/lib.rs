//! The agent beside the source Milvus.
