//! A client of Milvus that leaves columns as bytes.
