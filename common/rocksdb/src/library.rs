//! Where RocksDB's library comes from.

use crate::LoadError;
use crate::raw::{self, Functions};
use std::path::Path;

/// The names that Milvus and Debian install it by.
const NAMES: &[&str] = &[
    "librocksdb.so.6",
    "librocksdb.so.7.8",
    "librocksdb.so.8.9",
    "librocksdb.so.9.10",
    "librocksdb.so",
];

/// RocksDB's library, loaded.
#[derive(Debug, Clone, Copy)]
pub struct Library {
    pub(crate) functions: &'static Functions,
}

impl Library {
    /// Loads the library at `path`; without one, the first of the usual names that the system's loader finds. It stays loaded until
    /// the process ends. The file is trusted: its code runs in this process.
    ///
    /// # Errors
    /// The library can't be loaded, or lacks a function that is needed.
    pub fn load(path: Option<&Path>) -> Result<Self, LoadError> {
        let (library, name) = match path {
            Some(path) => (load_named(path)?, path.display().to_string()),
            None => load_usual(NAMES)?,
        };
        let functions = Functions::of(library).map_err(|function| LoadError::Lacking {
            library: name,
            function,
        })?;
        Ok(Self { functions })
    }
}

fn load_named(path: &Path) -> Result<libloading::Library, LoadError> {
    raw::load(path.as_os_str()).map_err(|cause| LoadError::Refused {
        path: path.to_owned(),
        cause,
    })
}

fn load_usual(names: &'static [&'static str]) -> Result<(libloading::Library, String), LoadError> {
    let mut causes = Vec::new();
    for name in names {
        match raw::load(name.as_ref()) {
            Ok(library) => return Ok((library, (*name).to_owned())),
            // The loader begins with the name of what it does not find: this one, or one that this one needs.
            Err(cause) if cause.starts_with(name) => {}
            Err(cause) => causes.push(cause),
        }
    }
    Err(LoadError::None { names, causes })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_that_is_not_there_is_named() {
        let missing = Path::new("/nowhere/librocksdb.so.6");
        let error = Library::load(Some(missing)).unwrap_err().to_string();
        assert!(
            error.contains("/nowhere/librocksdb.so.6 can't be loaded"),
            "{error}"
        );
        let error = load_usual(&["libnowhere.so.1", "libnowhere.so.2"]).unwrap_err();
        let LoadError::None { causes, .. } = error else {
            panic!("{error}")
        };
        assert!(causes.is_empty(), "{causes:?}");
    }

    #[test]
    fn a_library_that_is_not_rocksdb_is_told_by_the_function_it_lacks() {
        let error = Library::load(Some(Path::new("libc.so.6")))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("libc.so.6 has no function rocksdb_"),
            "{error}"
        );
    }
}
