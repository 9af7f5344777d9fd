//! How a column's bytes are written: compressed where it pays.
//!
//! zstd at its first level makes a third of JSON and text and an eighth of sorted keys, at some 400 MB/s a core; of the bits of
//! floating-point vectors it makes nothing. So a column is judged by its kind, and where its kind leaves it open by a sample of its
//! own bytes. What comes back is checked against the length that was announced: no more than that is ever allocated.

use bytes::Bytes;
use model::{Column, DataType, Payload};
use protocol::frame::Codec;
use runtime::telemetry::metric_names::{CHANNEL_ENCODED, CHANNEL_RAW};
use std::cell::RefCell;
use std::io;
use zstd::bulk::{Compressor, Decompressor};

/// How much of a column is tried.
const SAMPLE_BYTES: usize = 16 << 10;

/// A column shorter than this gains nothing worth its call.
const LEAST_BYTES: usize = 256;

/// It pays where ten bytes become at most so many tenths: 13 to 10.
const PAYS_TENTHS: usize = 13;

const LEVEL: i32 = 1;

thread_local! {
    /// Contexts are kept: making one costs more than a small column takes.
    static COMPRESSOR: RefCell<io::Result<Compressor<'static>>> = RefCell::new(Compressor::new(LEVEL));
    static DECOMPRESSOR: RefCell<io::Result<Decompressor<'static>>> = RefCell::new(Decompressor::new());
}

/// How a column is best written, by its kind and a sample of its bytes.
#[must_use]
pub fn choose(column: &Column) -> Codec {
    let raw = match &column.payload {
        Payload::Scalars(raw) if !is_float(column.data_type) => raw,
        Payload::Structs(raw) => raw,
        // Files are compressed as they are.
        Payload::Scalars(_) | Payload::Vectors(_) | Payload::Absent | Payload::File(_) => {
            return Codec::Plain;
        }
    };
    let sample = &raw[..raw.len().min(SAMPLE_BYTES)];
    match compress(sample) {
        Some(written) if sample.len() >= LEAST_BYTES && pays(sample.len(), written.len()) => {
            Codec::Zstd
        }
        _ => Codec::Plain,
    }
}

/// A column's bytes as they are to be written, counted by what was chosen for its type. A column whose sample promised more than the
/// whole keeps is written plain.
#[must_use]
pub fn encode(column: &Column) -> (Codec, Bytes) {
    let (codec, written) = encoded(column);
    let data_type = match &column.payload {
        Payload::File(_) => "file",
        _ => column.data_type.name().unwrap_or("other"),
    };
    let chosen = match codec {
        Codec::Plain => "plain",
        Codec::Zstd => "zstd",
    };
    metrics::counter!(CHANNEL_RAW, "type" => data_type, "codec" => chosen)
        .increment(column.payload.len() as u64);
    metrics::counter!(CHANNEL_ENCODED, "type" => data_type, "codec" => chosen)
        .increment(written.len() as u64);
    (codec, written)
}

fn encoded(column: &Column) -> (Codec, Bytes) {
    let raw = column.payload.bytes();
    if choose(column) == Codec::Zstd {
        match compress(&raw) {
            Some(written) if pays(raw.len(), written.len()) => {
                return (Codec::Zstd, written.into());
            }
            _ => {}
        }
    }
    (Codec::Plain, raw)
}

/// A column's bytes as they were before [`encode`]. The caller bounds `raw_bytes` by what it has room for.
///
/// # Errors
/// When these bytes are not what [`encode`] makes of `raw_bytes` bytes; more than those are not allocated to find out.
pub fn decode(codec: Codec, written: Bytes, raw_bytes: u64) -> Result<Bytes, String> {
    let raw = match codec {
        Codec::Plain => written,
        Codec::Zstd => {
            let most = usize::try_from(raw_bytes)
                .map_err(|_| format!("{raw_bytes} bytes do not fit into memory"))?;
            decompress(&written, most)?.into()
        }
    };
    let arrived = raw.len() as u64;
    if arrived == raw_bytes {
        Ok(raw)
    } else {
        Err(format!(
            "{raw_bytes} bytes were announced, and {arrived} came"
        ))
    }
}

fn is_float(data_type: DataType) -> bool {
    matches!(data_type, DataType::FLOAT | DataType::DOUBLE)
}

fn compress(raw: &[u8]) -> Option<Vec<u8>> {
    COMPRESSOR.with_borrow_mut(|context| context.as_mut().ok()?.compress(raw).ok())
}

fn decompress(written: &[u8], most: usize) -> Result<Vec<u8>, String> {
    DECOMPRESSOR.with_borrow_mut(|context| match context {
        Ok(context) => context
            .decompress(written, most)
            .map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    })
}

fn pays(raw_bytes: usize, written_bytes: usize) -> bool {
    written_bytes.saturating_mul(PAYS_TENTHS) <= raw_bytes.saturating_mul(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(data_type: DataType, payload: Payload) -> Column {
        Column {
            name: "c".into(),
            field_id: 1,
            data_type,
            is_dynamic: false,
            valid: Bytes::new(),
            payload,
        }
    }

    /// Bytes without a pattern.
    fn noise(bytes: usize) -> Bytes {
        let step = |state: &mut u64| {
            *state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            Some((*state >> 56) as u8)
        };
        std::iter::repeat_n((), bytes)
            .scan(7, |state, ()| step(state))
            .collect()
    }

    fn text(bytes: usize) -> Bytes {
        br#"{"city": "Potsdam", "price": 12.5, "tags": ["new", "sale"]}, "#
            .iter()
            .copied()
            .cycle()
            .take(bytes)
            .collect()
    }

    #[test]
    fn text_is_compressed_and_comes_back_whole() {
        let raw = text(300_000);
        let (codec, written) = encode(&column(DataType::JSON, Payload::Scalars(raw.clone())));
        assert_eq!(codec, Codec::Zstd);
        assert!(written.len() < raw.len() / 3);
        assert_eq!(decode(codec, written, 300_000), Ok(raw));
    }

    #[test]
    fn what_gains_nothing_is_written_as_it_is() {
        let plain = [
            column(DataType::FLOAT_VECTOR, Payload::Vectors(text(100_000))),
            column(DataType::DOUBLE, Payload::Scalars(text(100_000))),
            column(DataType::VARCHAR, Payload::Scalars(noise(100_000))),
            column(DataType::VARCHAR, Payload::Scalars(text(100))),
            column(DataType::VARCHAR, Payload::Scalars(Bytes::new())),
            column(DataType::JSON, Payload::Absent),
        ];
        for column in plain {
            let raw = column.payload.bytes();
            assert_eq!(encode(&column), (Codec::Plain, raw.clone()));
            assert_eq!(decode(Codec::Plain, raw.clone(), raw.len() as u64), Ok(raw));
        }
    }

    #[test]
    fn what_was_chosen_and_what_it_saved_is_counted_by_type() {
        let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
        let page = metrics::with_local_recorder(&recorder, || {
            for _ in 0..2 {
                let _ = encode(&column(DataType::JSON, Payload::Scalars(text(300_000))));
            }
            let _ = encode(&column(DataType::VARCHAR, Payload::Scalars(noise(1000))));
            let _ = encode(&column(DataType::new(999), Payload::Vectors(noise(7))));
            let _ = encode(&column(DataType::INT64, Payload::File(noise(50))));
            recorder.handle().render()
        });
        let count = |metric: &str, data_type: &str, codec: &str| {
            let line = format!("{metric}{{type=\"{data_type}\",codec=\"{codec}\"}} ");
            let mut found = page.lines().filter_map(|found| found.strip_prefix(&line));
            found
                .next()
                .unwrap_or_else(|| panic!("{line} in {page}"))
                .parse::<u64>()
                .unwrap()
        };
        assert_eq!(count(CHANNEL_RAW, "JSON", "zstd"), 600_000);
        assert!((1..200_000).contains(&count(CHANNEL_ENCODED, "JSON", "zstd")));
        for (data_type, bytes) in [("VarChar", 1000), ("other", 7), ("file", 50)] {
            assert_eq!(count(CHANNEL_RAW, data_type, "plain"), bytes);
            assert_eq!(count(CHANNEL_ENCODED, data_type, "plain"), bytes);
        }
    }

    #[test]
    fn a_sample_that_promised_too_much_is_not_believed() {
        let raw = Bytes::from([text(SAMPLE_BYTES), noise(1_000_000)].concat());
        let column = column(DataType::VARCHAR, Payload::Scalars(raw.clone()));
        assert_eq!(choose(&column), Codec::Zstd);
        assert_eq!(encode(&column), (Codec::Plain, raw));
    }

    #[test]
    fn a_bomb_is_refused_at_the_length_that_it_announced() {
        let bomb = Bytes::from(zstd::bulk::compress(&vec![0; 64 << 20], LEVEL).unwrap());
        assert!(bomb.len() < 10_000);
        assert!(decode(Codec::Zstd, bomb.clone(), 1000).is_err());
        assert!(
            decode(Codec::Zstd, bomb, (64 << 20) + 1)
                .unwrap_err()
                .contains("announced")
        );
    }

    #[test]
    fn what_is_not_compressed_at_all_is_refused() {
        assert!(decode(Codec::Zstd, noise(1000), 1000).is_err());
        assert!(decode(Codec::Zstd, Bytes::new(), 5).is_err());
        assert!(decode(Codec::Plain, noise(10), 11).is_err());
    }
}
