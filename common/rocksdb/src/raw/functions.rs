//! The functions of RocksDB's C API that are used, as its header `rocksdb/c.h` declares them (the same from 6.x to 10.x).

use libloading::Library;
use std::error::Error;
use std::ffi::{c_char, c_int, c_uchar, c_uint, c_void};

/// A library of this name or path.
pub(crate) fn load(name: &std::ffi::OsStr) -> Result<Library, String> {
    // SAFETY: the library's initializers run. It is RocksDB's, or what an operator named as such: trusted as our own code is.
    unsafe { Library::new(name) }.map_err(|error| told(&error))
}

/// The loader's own words, which stand behind the error.
fn told(error: &dyn Error) -> String {
    error.source().unwrap_or(error).to_string()
}

macro_rules! functions {
    ($($name:ident = $symbol:literal ($($argument:ty),*) $(-> $answer:ty)?;)*) => {
        /// Addresses of the functions; each is called `rocksdb_` and its name here.
        #[derive(Debug)]
        pub(crate) struct Functions {
            $(pub(super) $name: unsafe extern "C" fn($($argument),*) $(-> $answer)?,)*
        }

        impl Functions {
            /// Finds every function. The library is never unloaded: threads that RocksDB started may still run its code.
            ///
            /// # Errors
            /// The name of the first one that is missing.
            pub(crate) fn of(library: Library) -> Result<&'static Self, &'static str> {
                let library = Box::leak(Box::new(library));
                // SAFETY: each signature is that of the header. The library stays loaded, so the addresses stay good.
                let functions = unsafe {
                    Self { $($name: *library.get($symbol).map_err(|_| $symbol)?,)* }
                };
                Ok(Box::leak(Box::new(functions)))
            }
        }
    };
}

functions! {
    free = "rocksdb_free" (*mut c_void);
    options_create = "rocksdb_options_create" () -> *mut c_void;
    options_destroy = "rocksdb_options_destroy" (*mut c_void);
    options_set_max_open_files = "rocksdb_options_set_max_open_files" (*mut c_void, c_int);
    options_set_info_log_level = "rocksdb_options_set_info_log_level" (*mut c_void, c_int);
    options_set_stats_dump_period_sec = "rocksdb_options_set_stats_dump_period_sec" (*mut c_void, c_uint);
    list_column_families = "rocksdb_list_column_families"
        (*const c_void, *const c_char, *mut usize, *mut *mut c_char) -> *mut *mut c_char;
    list_column_families_destroy = "rocksdb_list_column_families_destroy" (*mut *mut c_char, usize);
    open_as_secondary_column_families = "rocksdb_open_as_secondary_column_families"
        (*const c_void, *const c_char, *const c_char, c_int, *const *const c_char, *const *const c_void, *mut *mut c_void,
         *mut *mut c_char) -> *mut c_void;
    column_family_handle_destroy = "rocksdb_column_family_handle_destroy" (*mut c_void);
    close = "rocksdb_close" (*mut c_void);
    try_catch_up_with_primary = "rocksdb_try_catch_up_with_primary" (*mut c_void, *mut *mut c_char);
    property_int = "rocksdb_property_int" (*mut c_void, *const c_char, *mut u64) -> c_int;
    readoptions_create = "rocksdb_readoptions_create" () -> *mut c_void;
    readoptions_destroy = "rocksdb_readoptions_destroy" (*mut c_void);
    readoptions_set_fill_cache = "rocksdb_readoptions_set_fill_cache" (*mut c_void, c_uchar);
    readoptions_set_iterate_lower_bound = "rocksdb_readoptions_set_iterate_lower_bound" (*mut c_void, *const c_char, usize);
    readoptions_set_iterate_upper_bound = "rocksdb_readoptions_set_iterate_upper_bound" (*mut c_void, *const c_char, usize);
    create_iterator = "rocksdb_create_iterator" (*mut c_void, *const c_void) -> *mut c_void;
    iter_destroy = "rocksdb_iter_destroy" (*mut c_void);
    iter_valid = "rocksdb_iter_valid" (*const c_void) -> c_uchar;
    iter_seek_to_first = "rocksdb_iter_seek_to_first" (*mut c_void);
    iter_seek_to_last = "rocksdb_iter_seek_to_last" (*mut c_void);
    iter_next = "rocksdb_iter_next" (*mut c_void);
    iter_key = "rocksdb_iter_key" (*const c_void, *mut usize) -> *const c_char;
    iter_value = "rocksdb_iter_value" (*const c_void, *mut usize) -> *const c_char;
    iter_get_error = "rocksdb_iter_get_error" (*const c_void, *mut *mut c_char);
}
