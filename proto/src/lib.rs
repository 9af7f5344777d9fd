//! The written language: messages between agents, the operator's API, and the subset of Milvus's API that Passage uses.
