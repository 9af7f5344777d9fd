//! Compiles the .proto files with a protobuf compiler written in Rust: no protoc is needed.
//!
//! Every .proto file under a language's folder is compiled, so that a new file needs no change here.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// The languages, by their folders.
const LANGUAGES: [&str; 4] = ["milvus", "pulsar", "agent", "admin"];

fn main() -> Result<(), Box<dyn Error>> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let out = PathBuf::from(env::var("OUT_DIR")?);
    for folder in LANGUAGES {
        println!("cargo:rerun-if-changed={}", root.join(folder).display());
        let files = proto_files(&root.join(folder))?;
        compile(&root, &files, &out.join(format!("{folder}.bin")))?;
    }
    Ok(())
}

/// The .proto files below a folder, in a stable order.
fn proto_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(proto_files(&path)?);
        } else if path
            .extension()
            .is_some_and(|extension| extension == "proto")
        {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Generates messages, clients and servers, and leaves the descriptors in a file for gRPC's reflection.
fn compile(root: &Path, files: &[PathBuf], descriptors: &Path) -> Result<(), Box<dyn Error>> {
    let mut compiler = protox::Compiler::new([root])?;
    compiler
        .include_source_info(true)
        .include_imports(true)
        .open_files(files)?;
    fs::write(descriptors, compiler.encode_file_descriptor_set())?;
    tonic_prost_build::configure()
        // Milvus has a call named Connect, which would clash with the constructor of a client that brings its own transport.
        .build_transport(false)
        .generate_default_stubs(true)
        .codec_path("crate::codec::Exact")
        .bytes(".")
        .compile_fds(compiler.file_descriptor_set())?;
    Ok(())
}
