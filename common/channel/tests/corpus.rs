//! Every input that fuzzing started from or found, given to the same checks: what was mended stays mended, without a fuzzer.

#[path = "../fuzz/checks.rs"]
mod checks;

use std::io;
use std::path::Path;

fn files(folder: &Path) -> io::Result<Vec<Vec<u8>>> {
    let entries = std::fs::read_dir(folder)?;
    entries.map(|entry| std::fs::read(entry?.path())).collect()
}

#[test]
fn every_input_of_the_corpus_is_answered() {
    let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (target, _) in checks::TARGETS {
        let inputs = files(&crate_folder.join("fuzz/corpus").join(target)).unwrap();
        assert!(!inputs.is_empty(), "{target}");
        inputs.iter().for_each(|input| checks::run(target, input));
    }
}
