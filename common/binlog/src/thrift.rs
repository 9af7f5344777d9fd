//! What Parquet writes about itself: Thrift's compact protocol, as far as Parquet uses it.
//!
//! The Parquet reader has its own, which believes a list's length before it has seen the list, and which takes a field for what it expects
//! whatever its type. Here nothing is believed: a structure is read only if its bytes hold all of it, its fields stand in the order of their
//! numbers, and it has no more values than the caller allows.

/// The deepest that structures lie in each other. Parquet's lie six deep.
const MOST_DEEP: usize = 16;

/// The fields of a structure, by their numbers.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Structure {
    fields: Vec<(i16, Value)>,
}

/// What a field or an item of a list holds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Flag,
    Byte,
    Number(i64),
    Float,
    Text,
    Structure(Structure),
    List(Vec<Value>),
}

/// What a field or an item of a list is to hold.
#[derive(Debug)]
pub(crate) enum Shape {
    Flag,
    Byte,
    Number,
    Float,
    Text,
    Structure(&'static [(i16, Shape)]),
    List(&'static Shape),
}

impl Shape {
    fn fits(&self, value: &Value) -> bool {
        match (self, value) {
            (Self::Flag, Value::Flag)
            | (Self::Byte, Value::Byte)
            | (Self::Number, Value::Number(_))
            | (Self::Float, Value::Float)
            | (Self::Text, Value::Text) => true,
            (Self::Structure(fields), Value::Structure(structure)) => structure.fits(fields),
            (Self::List(item), Value::List(items)) => items.iter().all(|found| item.fits(found)),
            _ => false,
        }
    }
}

impl Structure {
    /// The structure at the beginning of these bytes, and its length; `None` when it is malformed or has more values than these.
    pub(crate) fn read(bytes: &[u8], most_values: usize) -> Option<(Self, usize)> {
        let mut reading = Reading {
            bytes,
            at: 0,
            values_left: most_values,
        };
        let structure = reading.structure(MOST_DEEP)?;
        Some((structure, reading.at))
    }

    /// Whether those of its fields that are named here hold what they are to hold.
    pub(crate) fn fits(&self, fields: &[(i16, Shape)]) -> bool {
        fields.iter().all(|(field, shape)| {
            let found = self.get(*field);
            found.is_none_or(|value| shape.fits(value))
        })
    }

    /// What a field holds.
    pub(crate) fn get(&self, field: i16) -> Option<&Value> {
        let mut fields = self.fields.iter();
        fields
            .find(|(number, _)| *number == field)
            .map(|(_, value)| value)
    }

    /// The number in a field.
    pub(crate) fn number(&self, field: i16) -> Option<i64> {
        match self.get(field) {
            Some(Value::Number(number)) => Some(*number),
            _ => None,
        }
    }

    /// The number in a field, where it is a length or a count.
    pub(crate) fn count(&self, field: i16) -> Option<usize> {
        i32::try_from(self.number(field)?).ok()?.try_into().ok()
    }
}

struct Reading<'a> {
    bytes: &'a [u8],
    at: usize,
    values_left: usize,
}

impl Reading<'_> {
    fn byte(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    fn pass(&mut self, length: u64) -> Option<()> {
        let end = self.at.checked_add(usize::try_from(length).ok()?)?;
        (end <= self.bytes.len()).then(|| self.at = end)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut number = 0;
        for place in 0..10 {
            let byte = u64::from(self.byte()?);
            let bits = byte & 0x7f;
            if place == 9 && bits > 1 {
                return None;
            }
            number |= bits << (7 * place);
            if byte == bits {
                return Some(number);
            }
        }
        None
    }

    fn zigzag(&mut self) -> Option<i64> {
        let number = self.varint()?;
        Some((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
    }

    fn structure(&mut self, deep: usize) -> Option<Structure> {
        let deep = deep.checked_sub(1)?;
        let mut structure = Structure::default();
        let mut last = 0;
        loop {
            let head = self.byte()?;
            if head == 0 {
                return Some(structure);
            }
            let number = match i16::from(head >> 4) {
                0 => self.zigzag()?.try_into().ok()?,
                step => i16::checked_add(last, step)?,
            };
            if number <= last {
                return None;
            }
            last = number;
            let value = self.value(head & 0x0f, deep)?;
            structure.fields.push((number, value));
        }
    }

    /// A value of a field. Parquet has neither sets nor maps.
    fn value(&mut self, kind: u8, deep: usize) -> Option<Value> {
        self.values_left = self.values_left.checked_sub(1)?;
        match kind {
            1 | 2 => Some(Value::Flag),
            3 => self.pass(1).map(|()| Value::Byte),
            4..=6 => self.zigzag().map(Value::Number),
            7 => self.pass(8).map(|()| Value::Float),
            8 => {
                let length = self.varint()?;
                self.pass(length).map(|()| Value::Text)
            }
            9 => self.list(deep).map(Value::List),
            12 => self.structure(deep).map(Value::Structure),
            _ => None,
        }
    }

    fn list(&mut self, deep: usize) -> Option<Vec<Value>> {
        let deep = deep.checked_sub(1)?;
        let head = self.byte()?;
        let (items, kind) = match head >> 4 {
            15 => (self.varint()?, head & 0x0f),
            items => (items.into(), head & 0x0f),
        };
        // An item takes a byte at least. No list of flags stands in what is read here, and readers disagree about their length.
        let left = self.bytes.len() - self.at;
        if items > left.min(self.values_left) as u64 || (kind < 3 && items > 0) {
            return None;
        }
        (0..items).map(|_| self.value(kind, deep)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Option<(Structure, usize)> {
        Structure::read(bytes, 100)
    }

    #[test]
    fn fields_are_read_by_their_numbers_and_the_length_is_told() {
        let bytes = [
            0x15, 0x03, // 1: -2
            0x26, 0x80, 0x02, // 3: 128
            0x18, 0x01, 0x41, // 4: "A"
            0x1c, 0x11, 0x00, // 5: {1: true}
            0x19, 0x25, 0x02, 0x04, // 6: [1, 2]
            0x00, 0xff,
        ];
        let (structure, length) = read(&bytes).unwrap();
        assert_eq!(length, bytes.len() - 1);
        assert_eq!(structure.number(1), Some(-2));
        assert_eq!((structure.count(1), structure.count(3)), (None, Some(128)));
        assert_eq!(structure.get(4), Some(&Value::Text));
        let inner = Structure {
            fields: vec![(1, Value::Flag)],
        };
        assert_eq!(structure.get(5), Some(&Value::Structure(inner)));
        let list = [1, 2].map(Value::Number).into();
        assert_eq!(structure.get(6), Some(&Value::List(list)));
        let inner = Shape::Structure(&[(1, Shape::Flag)]);
        assert!(structure.fits(&[(1, Shape::Number), (2, Shape::Text), (5, inner)]));
        assert!(structure.fits(&[(6, Shape::List(&Shape::Number))]));
        assert!(!structure.fits(&[(6, Shape::List(&Shape::Text))]));
        assert!(!structure.fits(&[(4, Shape::Byte)]));
    }

    #[test]
    fn what_the_bytes_do_not_hold_is_refused() {
        let cases: [&[u8]; 8] = [
            &[],
            &[0x15],
            &[0x18, 0x7f, 0x00],
            &[0x19, 0xf5, 0xff, 0xff, 0x03, 0x00],
            &[0x19, 0x21, 0x01, 0x01, 0x00],
            &[0x15, 0x02, 0x05, 0x02, 0x02, 0x00],
            &[0x1b, 0x00, 0x00],
            &[0x16, 255, 255, 255, 255, 255, 255, 255, 255, 255, 2, 0],
        ];
        for case in cases {
            assert_eq!(read(case), None, "{case:?}");
        }
        assert_eq!(read(&[0x1c; 1000]), None);
        assert_eq!(Structure::read(&[0x15, 0x02, 0x15, 0x02, 0x00], 1), None);
    }
}
