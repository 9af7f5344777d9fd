//! Files whose frame is sound whatever is in them. Bytes alone seldom get past a magic number, a length or a checksum of their own.
//!
//! ```text
//! payload    form │ length of the footer u16 │ pages │ footer
//! pages      form │ type │ width │ page │ page │ …          (both columns' pages in turn, where there are two)
//! page       kind │ values u32 │ length u16 │ values
//! ```

use bytes::Bytes;

/// A file, and what it is read as.
#[derive(Debug)]
pub(crate) enum File {
    Rows(Bytes),
    Deletes(Bytes),
}

const INSERT: u8 = 1;
const DELETE: u8 = 2;

/// Parquet's number of the type of whole numbers of eight bytes, and of that of vectors.
const INT64: i64 = 2;
const FIXED: i64 = 7;

/// What a byte of an input says that the file is.
fn framed(form: u8, payload: &[u8]) -> File {
    match form % 4 {
        0 => File::Rows(enveloped(INSERT, 5, b"{}", payload)),
        1 => File::Deletes(enveloped(DELETE, 20, b"", payload)),
        2 => {
            let notes = br#"{"version":"MULTI_FIELD"}"#;
            File::Deletes(enveloped(DELETE, 20, notes, payload))
        }
        _ => File::Deletes(payload.to_vec().into()),
    }
}

/// A payload in its envelope.
fn enveloped(kind: u8, data_type: i32, notes: &[u8], payload: &[u8]) -> Bytes {
    let mut descriptor = vec![0; 48];
    descriptor.extend(data_type.to_le_bytes());
    descriptor.extend([16; 8]);
    descriptor.extend((notes.len() as i32).to_le_bytes());
    descriptor.extend(notes);
    let mut file = 0x00FF_FABCu32.to_le_bytes().to_vec();
    for (kind, times, body) in [(0, 0, &descriptor[..]), (kind, 16, payload)] {
        file.extend([0; 8]);
        file.push(kind);
        file.extend(((17 + times + body.len()) as i32).to_le_bytes());
        file.extend(vec![0; 4 + times]);
        file.extend(body);
    }
    file.into()
}

/// Pages and a footer as Parquet frames them.
fn parquet(pages: &[u8], footer: &[u8]) -> Vec<u8> {
    let length = (footer.len() as u32).to_le_bytes();
    [b"PAR1", pages, footer, &length, b"PAR1"].concat()
}

/// A file by an input of this kind.
pub(crate) fn payload(input: &[u8]) -> Option<File> {
    let ([form, low, high], rest) = input.split_first_chunk()?;
    let footer = usize::from(u16::from_le_bytes([*low, *high])).min(rest.len());
    let (pages, footer) = rest.split_at(rest.len() - footer);
    Some(framed(*form, &parquet(pages, footer)))
}

/// A file of several fields by an input of this kind.
pub(crate) fn grouped(input: &[u8]) -> Option<Bytes> {
    let ([low, high], rest) = input.split_first_chunk()?;
    let footer = usize::from(u16::from_le_bytes([*low, *high])).min(rest.len());
    let (pages, footer) = rest.split_at(rest.len() - footer);
    Some(parquet(pages, footer).into())
}

/// A file by an input of this kind.
pub(crate) fn pages(input: &[u8]) -> Option<File> {
    let ([form, kind, width], mut rest) = input.split_first_chunk()?;
    let is_of_two = form % 4 > 1;
    let first = Column::new(i64::from(kind % 8), *width, kind & 8 != 0);
    let mut columns = vec![first];
    if is_of_two {
        columns.push(Column::new(INT64, 0, false));
    }
    let count = columns.len();
    let mut place = 0;
    while let Some(behind) = columns[place % count].page(rest) {
        rest = behind;
        place += 1;
    }
    // One page's values, or all of them: a form can make a footer disagree with its pages.
    let rows = match form & 4 {
        0 => columns[0].values,
        _ => i64::from(*width),
    };
    let bytes: Vec<u8> = columns
        .iter()
        .flat_map(|column| column.bytes.clone())
        .collect();
    Some(framed(*form, &parquet(&bytes, &footer(&columns, rows))))
}

/// A column whose pages are collected.
struct Column {
    kind: i64,
    width: i64,
    is_nullable: bool,
    has_dictionary: bool,
    values: i64,
    bytes: Vec<u8>,
}

impl Column {
    fn new(kind: i64, width: u8, is_nullable: bool) -> Self {
        Self {
            kind,
            width: width.into(),
            is_nullable,
            has_dictionary: false,
            values: 0,
            bytes: Vec::new(),
        }
    }

    /// Adds a page by the begin of an input, and gives the rest.
    fn page<'a>(&mut self, input: &'a [u8]) -> Option<&'a [u8]> {
        let (head, rest) = input.split_first_chunk::<7>()?;
        let [kind, a, b, c, d, low, high] = *head;
        // Mostly few: pages of millions take a fuzzer's time.
        let values = match d {
            0..0x40 => i64::from(u16::from_le_bytes([a, b])),
            _ => i64::from(u32::from_le_bytes([a, b, c, d & 0x7f])),
        };
        let length = usize::from(u16::from_le_bytes([low, high])).min(rest.len());
        let (data, rest) = rest.split_at(length);
        let encoding = [0, 8, 3, 2, 0, 8, 5, 7][usize::from(kind >> 2) % 8];
        let page = match kind % 4 {
            0 | 1 => {
                self.values += values;
                let inner = Thrift::default().number(1, values).number(2, encoding);
                let inner = inner.number(3, 3).number(4, 3);
                Thrift::default()
                    .number(1, 0)
                    .sizes(data)
                    .structure(5, inner)
            }
            2 => {
                self.has_dictionary |= self.bytes.is_empty();
                let inner = Thrift::default().number(1, values).number(2, 0);
                Thrift::default()
                    .number(1, 2)
                    .sizes(data)
                    .structure(7, inner)
            }
            _ => {
                self.values += values;
                let levels = i64::from(kind >> 5);
                let inner = Thrift::default().number(1, values).number(2, levels);
                let inner = inner.number(3, values).number(4, encoding);
                let inner = inner.number(5, levels).number(6, 0);
                Thrift::default()
                    .number(1, 3)
                    .sizes(data)
                    .structure(8, inner)
            }
        };
        self.bytes.extend(page.end());
        self.bytes.extend(data);
        Some(rest)
    }
}

fn footer(columns: &[Column], rows: i64) -> Vec<u8> {
    let root = Thrift::default()
        .text(4, b"m")
        .number(5, columns.len() as i64);
    let described = columns.iter().map(|column| {
        let described = Thrift::default().number(1, column.kind);
        let described = match column.kind {
            FIXED => described.number(2, column.width),
            _ => described,
        };
        described.number(3, column.is_nullable.into()).text(4, b"c")
    });
    let mut begin = 4;
    let chunks = columns.iter().map(|column| {
        let length = column.bytes.len() as i64;
        let meta = Thrift::default().number(1, column.kind).list(2, 5, &[&[0]]);
        let meta = meta.list(3, 8, &[b"\x01c"]).number(4, 0).number(5, rows);
        let meta = meta.number(6, length).number(7, length).number(9, begin);
        let meta = match column.has_dictionary {
            true => meta.number(11, begin),
            false => meta,
        };
        begin += length;
        Thrift::default().number(2, 0).structure(3, meta)
    });
    let group = Thrift::default()
        .structures(1, chunks)
        .number(2, 0)
        .number(3, rows);
    let schema = [root].into_iter().chain(described);
    let footer = Thrift::default()
        .number(1, 1)
        .structures(2, schema)
        .number(3, rows);
    footer.structures(4, [group].into_iter()).end()
}

/// A structure that is being written in Thrift's compact protocol.
#[derive(Default)]
struct Thrift {
    bytes: Vec<u8>,
    last: u8,
}

impl Thrift {
    fn field(mut self, field: u8, kind: u8) -> Self {
        self.bytes.push((field - self.last) << 4 | kind);
        self.last = field;
        self
    }

    fn varint(mut self, mut number: u64) -> Self {
        while number > 0x7f {
            self.bytes.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.bytes.push(number as u8);
        self
    }

    fn number(self, field: u8, number: i64) -> Self {
        let zigzag = (number << 1 ^ number >> 63).cast_unsigned();
        self.field(field, 6).varint(zigzag)
    }

    fn sizes(self, data: &[u8]) -> Self {
        let length = data.len() as i64;
        self.number(2, length).number(3, length)
    }

    fn text(self, field: u8, text: &[u8]) -> Self {
        let mut written = self.field(field, 8).varint(text.len() as u64);
        written.bytes.extend(text);
        written
    }

    fn structure(self, field: u8, inner: Thrift) -> Self {
        let mut written = self.field(field, 12);
        written.bytes.extend(inner.end());
        written
    }

    fn list(self, field: u8, kind: u8, items: &[&[u8]]) -> Self {
        let mut written = self.field(field, 9);
        written.bytes.push((items.len() as u8) << 4 | kind);
        written.bytes.extend(items.concat());
        written
    }

    fn structures(self, field: u8, items: impl Iterator<Item = Thrift>) -> Self {
        let items: Vec<Vec<u8>> = items.map(Thrift::end).collect();
        let items: Vec<&[u8]> = items.iter().map(Vec::as_slice).collect();
        self.list(field, 12, &items)
    }

    fn end(mut self) -> Vec<u8> {
        self.bytes.push(0);
        self.bytes
    }
}
