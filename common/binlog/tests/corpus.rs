//! Every input that fuzzing started from or found, given to the same checks: what was mended stays mended, without a fuzzer.

#[path = "../fuzz/checks.rs"]
mod checks;

use std::io;
use std::path::Path;

fn files(folder: &Path) -> io::Result<Vec<Vec<u8>>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        match path.is_dir() {
            true => found.append(&mut files(&path)?),
            false => found.push(std::fs::read(path)?),
        }
    }
    Ok(found)
}

#[test]
fn every_input_of_the_corpus_is_answered() {
    let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (target, check) in checks::TARGETS {
        let inputs = files(&crate_folder.join("fuzz/corpus").join(target)).unwrap();
        assert!(!inputs.is_empty(), "{target}");
        inputs.iter().for_each(|input| check(input));
    }
}

#[test]
fn every_sample_is_answered_as_any_kind() {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples");
    for sample in files(&samples).unwrap() {
        checks::run("insert_logs", &sample);
        checks::run("delta_logs", &sample);
        checks::run("grouped_files", &sample);
    }
}
