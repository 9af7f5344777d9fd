//! The C API behind safe types: what is called with which pointers is decided in this module alone.
//!
//! Invariants:
//! - an opaque pointer is not null, and stands in exactly one value, which gives it back when it is dropped;
//! - an iterator borrows its database, and owns the bounds that RocksDB keeps pointers to.

mod functions;

pub(crate) use functions::{Functions, load};

use crate::Entry;
use bytes::Bytes;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr::{self, NonNull};

/// RocksDB's most silent level but for its header: fatal errors only.
const FATAL: c_int = 4;

/// RocksDB's name for what its memtables take, those too that an iterator still reads.
const MEMTABLES: &CStr = c"rocksdb.size-all-mem-tables";

/// A database, open as a secondary.
#[derive(Debug)]
pub(crate) struct Database {
    functions: &'static Functions,
    database: NonNull<c_void>,
    families: Vec<NonNull<c_void>>,
}

// SAFETY: RocksDB allows every call on a database from any thread and several at once, but for closing it, which drop does: by then
// nobody else holds it. Catching up takes the database's own lock.
unsafe impl Send for Database {}
// SAFETY: as above.
unsafe impl Sync for Database {}

impl Database {
    /// Opens the database with all its column families: RocksDB's rule for one that is written meanwhile.
    ///
    /// # Errors
    /// RocksDB's words.
    pub(crate) fn open(
        functions: &'static Functions,
        folder: &CStr,
        scratch: &CStr,
    ) -> Result<Self, String> {
        let options = Options::new(functions)?;
        let names = Names::of(functions, &options, folder)?;
        let all_options = vec![options.0.as_ptr().cast_const(); names.count];
        let mut families = vec![ptr::null_mut(); names.count];
        let count = c_int::try_from(names.count).map_err(|error| error.to_string())?;
        // SAFETY: the texts end with 0; the three arrays have `count` elements each; the options live until the end of this function,
        // and RocksDB copies them.
        let opened = functions.told(|error| unsafe {
            (functions.open_as_secondary_column_families)(
                options.0.as_ptr(),
                folder.as_ptr(),
                scratch.as_ptr(),
                count,
                names.list.as_ptr().cast(),
                all_options.as_ptr(),
                families.as_mut_ptr(),
                error,
            )
        })?;
        Ok(Self {
            functions,
            database: NonNull::new(opened).ok_or("it was not opened")?,
            families: families.into_iter().filter_map(NonNull::new).collect(),
        })
    }

    /// Takes in what was written since the last time.
    ///
    /// # Errors
    /// RocksDB's words.
    pub(crate) fn catch_up(&self) -> Result<(), String> {
        // SAFETY: the database is open.
        self.functions.told(|error| unsafe {
            (self.functions.try_catch_up_with_primary)(self.database.as_ptr(), error)
        })
    }

    /// The bytes of the default column family's memtables; `None` where RocksDB does not tell.
    pub(crate) fn memtable_bytes(&self) -> Option<u64> {
        let mut bytes = 0;
        // SAFETY: the database is open, the name ends with 0, and the number may be written.
        let failed = unsafe {
            (self.functions.property_int)(self.database.as_ptr(), MEMTABLES.as_ptr(), &mut bytes)
        };
        (failed == 0).then_some(bytes)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // SAFETY: nothing uses the database any more: iterators borrow it. Handles of column families go before it.
        unsafe {
            for family in &self.families {
                (self.functions.column_family_handle_destroy)(family.as_ptr());
            }
            (self.functions.close)(self.database.as_ptr());
        }
    }
}

/// The entries of the default column family between two keys, as they were when the cursor was made.
#[derive(Debug)]
pub(crate) struct Cursor<'a> {
    database: &'a Database,
    options: NonNull<c_void>,
    iterator: NonNull<c_void>,
    /// From the first on, up to before the second. RocksDB reads them through pointers.
    _bounds: [Box<[u8]>; 2],
}

impl<'a> Cursor<'a> {
    /// A cursor over the keys from `low` on that are smaller than `high`; it stands nowhere yet.
    ///
    /// # Errors
    /// That there is no memory for it.
    pub(crate) fn new(database: &'a Database, low: &[u8], high: &[u8]) -> Result<Self, String> {
        let functions = database.functions;
        let bounds: [Box<[u8]>; 2] = [low.into(), high.into()];
        let [low, high] = &bounds;
        // SAFETY: the bounds are on the heap, where moving the boxes leaves them, and go after the options that point to them. What is
        // read once is kept out of RocksDB's cache. An iterator's options may be destroyed only after it.
        unsafe {
            let options = NonNull::new((functions.readoptions_create)()).ok_or("no options")?;
            let raw = options.as_ptr();
            (functions.readoptions_set_fill_cache)(raw, 0);
            (functions.readoptions_set_iterate_lower_bound)(raw, low.as_ptr().cast(), low.len());
            (functions.readoptions_set_iterate_upper_bound)(raw, high.as_ptr().cast(), high.len());
            let iterator = (functions.create_iterator)(database.database.as_ptr(), raw);
            let iterator = NonNull::new(iterator).ok_or("no iterator")?;
            Ok(Self {
                database,
                options,
                iterator,
                _bounds: bounds,
            })
        }
    }

    /// Goes to the first entry.
    pub(crate) fn first(&mut self) {
        // SAFETY: the iterator is there; so below.
        unsafe { (self.database.functions.iter_seek_to_first)(self.iterator.as_ptr()) }
    }

    /// Goes to the last entry.
    pub(crate) fn last(&mut self) {
        // SAFETY: as above.
        unsafe { (self.database.functions.iter_seek_to_last)(self.iterator.as_ptr()) }
    }

    /// Goes to the next entry, if it stands at one.
    pub(crate) fn next(&mut self) {
        if self.is_at_an_entry() {
            // SAFETY: as above; RocksDB asks that it stand at an entry.
            unsafe { (self.database.functions.iter_next)(self.iterator.as_ptr()) }
        }
    }

    /// The entry that it stands at; `None` behind the last one.
    ///
    /// # Errors
    /// RocksDB's words on why it could not go on.
    pub(crate) fn entry(&self) -> Result<Option<Entry>, String> {
        let functions = self.database.functions;
        if !self.is_at_an_entry() {
            // SAFETY: the iterator is there.
            return functions
                .told(|error| unsafe { (functions.iter_get_error)(self.iterator.as_ptr(), error) })
                .map(|()| None);
        }
        // SAFETY: it stands at an entry. The bytes stay until it moves on, and are copied before. Nothing is read of an
        // empty text, whose address need not be one.
        let [key, value] = [functions.iter_key, functions.iter_value].map(|part| unsafe {
            let mut length = 0;
            let start = part(self.iterator.as_ptr(), &mut length);
            match length {
                0 => &[],
                _ => std::slice::from_raw_parts(start.cast(), length),
            }
        });
        Ok(Some((key.to_vec(), Bytes::copy_from_slice(value))))
    }

    fn is_at_an_entry(&self) -> bool {
        // SAFETY: the iterator is there.
        unsafe { (self.database.functions.iter_valid)(self.iterator.as_ptr()) != 0 }
    }
}

impl Drop for Cursor<'_> {
    fn drop(&mut self) {
        // SAFETY: both are there, and nothing else points to them.
        unsafe {
            (self.database.functions.iter_destroy)(self.iterator.as_ptr());
            (self.database.functions.readoptions_destroy)(self.options.as_ptr());
        }
    }
}

/// How a secondary is opened.
struct Options(NonNull<c_void>, &'static Functions);

impl Options {
    fn new(functions: &'static Functions) -> Result<Self, String> {
        // SAFETY: the setters take what the constructor gave. -1 has RocksDB hold every file open, as its header asks of a
        // secondary: a file that is held can be read though it was taken away.
        unsafe {
            let options = NonNull::new((functions.options_create)()).ok_or("no options")?;
            (functions.options_set_max_open_files)(options.as_ptr(), -1);
            (functions.options_set_info_log_level)(options.as_ptr(), FATAL);
            (functions.options_set_stats_dump_period_sec)(options.as_ptr(), 0);
            Ok(Self(options, functions))
        }
    }
}

impl Drop for Options {
    fn drop(&mut self) {
        // SAFETY: they are there, and nothing else points to them.
        unsafe { (self.1.options_destroy)(self.0.as_ptr()) }
    }
}

/// The names of the column families.
struct Names {
    functions: &'static Functions,
    list: NonNull<*mut c_char>,
    count: usize,
}

impl Names {
    fn of(functions: &'static Functions, options: &Options, folder: &CStr) -> Result<Self, String> {
        let mut count = 0;
        // SAFETY: the folder's text ends with 0, and the count may be written.
        let list = functions.told(|error| unsafe {
            (functions.list_column_families)(options.0.as_ptr(), folder.as_ptr(), &mut count, error)
        })?;
        let list = NonNull::new(list).ok_or("it names no column family")?;
        Ok(Self {
            functions,
            list,
            count,
        })
    }
}

impl Drop for Names {
    fn drop(&mut self) {
        // SAFETY: RocksDB gave the list with this many names.
        unsafe { (self.functions.list_column_families_destroy)(self.list.as_ptr(), self.count) }
    }
}

impl Functions {
    /// Makes a call that may leave an error, and takes the error.
    fn told<T>(&self, call: impl FnOnce(*mut *mut c_char) -> T) -> Result<T, String> {
        let mut error = ptr::null_mut();
        let answer = call(&mut error);
        if error.is_null() {
            return Ok(answer);
        }
        // SAFETY: RocksDB left a text that ends with 0, ours to free with its own function.
        let text = unsafe { CStr::from_ptr(error) }
            .to_string_lossy()
            .into_owned();
        // SAFETY: as above.
        unsafe { (self.free)(error.cast()) };
        Err(text)
    }
}
