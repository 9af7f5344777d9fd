//! What Parquet's structures are made of (`parquet.thrift` of its format 2.12).
//!
//! The Parquet reader reads a field that it knows as what it expects, whatever the bytes say that it is, and goes on from where that ends.
//! In a structure of these shapes it finds what was looked at. Fields that are not named here it passes over as they are.

use crate::thrift::Shape::{self, Byte, Flag, Float, List, Number, Structure, Text};

type Fields = &'static [(i16, Shape)];

/// The head of a page.
pub(crate) const PAGE: Fields = &[
    (1, Number),
    (2, Number),
    (3, Number),
    (4, Number),
    (5, Structure(DATA)),
    (6, Structure(EMPTY)),
    (7, Structure(DICTIONARY)),
    (8, Structure(DATA_V2)),
];

const EMPTY: Fields = &[];

const DATA: Fields = &[
    (1, Number),
    (2, Number),
    (3, Number),
    (4, Number),
    (5, Structure(STATISTICS)),
];

const DICTIONARY: Fields = &[(1, Number), (2, Number), (3, Flag)];

const DATA_V2: Fields = &[
    (1, Number),
    (2, Number),
    (3, Number),
    (4, Number),
    (5, Number),
    (6, Number),
    (7, Flag),
    (8, Structure(STATISTICS)),
];

const STATISTICS: Fields = &[
    (1, Text),
    (2, Text),
    (3, Number),
    (4, Number),
    (5, Text),
    (6, Text),
    (7, Flag),
    (8, Flag),
    (9, Number),
];

/// The footer.
pub(crate) const FOOTER: Fields = &[
    (1, Number),
    (2, List(&Structure(ELEMENT))),
    (3, Number),
    (4, List(&Structure(GROUP))),
    (5, List(&Structure(NOTE))),
    (6, Text),
    (7, List(&Structure(ORDER))),
];

const NOTE: Fields = &[(1, Text), (2, Text)];

const ORDER: Fields = &[(1, Structure(EMPTY)), (2, Structure(EMPTY))];

/// A column, or what columns lie in.
const ELEMENT: Fields = &[
    (1, Number),
    (2, Number),
    (3, Number),
    (4, Text),
    (5, Number),
    (6, Number),
    (7, Number),
    (8, Number),
    (9, Number),
    (10, Structure(LOGICAL_TYPE)),
];

const LOGICAL_TYPE: Fields = &[
    (1, Structure(EMPTY)),
    (2, Structure(EMPTY)),
    (3, Structure(EMPTY)),
    (4, Structure(EMPTY)),
    (5, Structure(&[(1, Number), (2, Number)])),
    (6, Structure(EMPTY)),
    (7, Structure(TIME)),
    (8, Structure(TIME)),
    (10, Structure(&[(1, Byte), (2, Flag)])),
    (11, Structure(EMPTY)),
    (12, Structure(EMPTY)),
    (13, Structure(EMPTY)),
    (14, Structure(EMPTY)),
    (15, Structure(EMPTY)),
    (16, Structure(&[(1, Byte)])),
    (17, Structure(&[(1, Text)])),
    (18, Structure(&[(1, Text), (2, Number)])),
];

const TIME: Fields = &[(1, Flag), (2, Structure(UNIT))];

const UNIT: Fields = &[
    (1, Structure(EMPTY)),
    (2, Structure(EMPTY)),
    (3, Structure(EMPTY)),
];

/// A group of rows.
const GROUP: Fields = &[
    (1, List(&Structure(COLUMN))),
    (2, Number),
    (3, Number),
    (4, List(&Structure(&[(1, Number), (2, Flag), (3, Flag)]))),
    (5, Number),
    (6, Number),
    (7, Number),
];

const COLUMN: Fields = &[
    (1, Text),
    (2, Number),
    (3, Structure(COLUMN_META)),
    (4, Number),
    (5, Number),
    (6, Number),
    (7, Number),
];

const COLUMN_META: Fields = &[
    (1, Number),
    (2, List(&Number)),
    (3, List(&Text)),
    (4, Number),
    (5, Number),
    (6, Number),
    (7, Number),
    (8, List(&Structure(NOTE))),
    (9, Number),
    (10, Number),
    (11, Number),
    (12, Structure(STATISTICS)),
    (
        13,
        List(&Structure(&[(1, Number), (2, Number), (3, Number)])),
    ),
    (14, Number),
    (15, Number),
    (
        16,
        Structure(&[(1, Number), (2, List(&Number)), (3, List(&Number))]),
    ),
    (17, Structure(&[(1, Structure(BOX)), (2, List(&Number))])),
];

const BOX: Fields = &[
    (1, Float),
    (2, Float),
    (3, Float),
    (4, Float),
    (5, Float),
    (6, Float),
    (7, Float),
    (8, Float),
];
