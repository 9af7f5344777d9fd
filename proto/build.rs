//! Compiles the .proto files with a protobuf compiler written in Rust: no protoc is needed.
fn main() {}
