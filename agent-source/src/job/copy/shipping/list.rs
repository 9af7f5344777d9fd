//! Which files are shipped, in which batches and cargoes; and which rows are sent as such.

use crate::job::StepError;
use crate::job::collection::CollectionRun;
use crate::job::copy::listing::NewUnits;
use crate::reader::segments::{Alive, Fate, LogFiles, Segments, vanished};
use crate::records::{CARGOES, CargoRecord, SHIPMENTS, Shipment, ShippedFile, Taken, unit_key};
use model::{Fault, Unit};
use std::collections::{BTreeMap, BTreeSet};

/// How large a batch of files is meant to be: so much is sent again at most when a line was cut.
const BATCH_BYTES: u64 = 16 << 20;

/// The most segments of a cargo: Milvus takes 1024 in one import (`dataCoord.import.maxImportFileNumPerReq`, since 2.4), and few of full size
/// are as many bytes as a cargo may have.
const MOST_SEGMENTS: u32 = 256;

/// A cargo to which segments of its partition may be added.
#[derive(Debug, Clone, Copy)]
struct Open<'a> {
    partition: &'a str,
    number: u32,
    bytes: u64,
    segments: u32,
    /// Whether its files hold several fields each, once it has files.
    is_grouped: Option<bool>,
}

impl CollectionRun<'_> {
    /// Decides which files are shipped in which order, and which rows are sent as such. Gives which rows are there.
    pub(in crate::job::copy) async fn list_shipped(
        &self,
        segments: &Segments<'_>,
        list: Vec<LogFiles>,
        batch_rows: u64,
        units: &mut NewUnits<'_>,
    ) -> Result<Alive, StepError> {
        let most_bytes = self.agent.limits.segment_bytes;
        let alive = segments.alive(&list, most_bytes).await?;
        // Segments of the same partition, by the ids of both.
        let mut by_segment: BTreeMap<(&str, i64), Vec<LogFiles>> = BTreeMap::new();
        for files in list {
            if units.known.contains(&files.segment) {
                continue;
            }
            if let Some(partition) = segments.name(files.partition) {
                let key = (partition, files.segment);
                by_segment.entry(key).or_default().push(files);
            }
        }
        let mut open: Option<Open<'_>> = None;
        let mut sent = Vec::new();
        for ((partition, _), logs) in by_segment {
            if !segments.is_importable(&logs, self.record.ships_grouped) {
                for files in &logs {
                    let partition = segments.partition(files.partition).cloned().flatten();
                    units.runs(partition, files, batch_rows);
                }
                continue;
            }
            let mut places = vec![Vec::new(); logs.len()];
            let mut is_imported = false;
            segments
                .part(&logs, &alive, &units.replaced, |place, row, _, fate| {
                    is_imported |= fate == Fate::Imported;
                    if fate == Fate::Sent {
                        places[place].push(row as u64);
                    }
                })
                .await?;
            let files = match is_imported {
                true => files(segments, &logs).await?,
                // Nothing of it is wanted: it is listed, and not sent.
                false => Vec::new(),
            };
            let bytes = size_bytes(&files);
            let is_grouped = logs.first().map(|files| files.grouped.is_some());
            let is_grouped = is_grouped.filter(|_| is_imported);
            let most_bytes = self.agent.limits.import_bytes;
            let cargo = match open.take() {
                Some(cargo) if cargo.takes(partition, bytes, most_bytes, is_grouped) => cargo,
                before => {
                    close(units, before);
                    Open {
                        partition,
                        number: units.next_cargo(),
                        bytes: 0,
                        segments: 0,
                        is_grouped: None,
                    }
                }
            };
            open = Some(Open {
                bytes: cargo.bytes + bytes,
                segments: cargo.segments + 1,
                is_grouped: cargo.is_grouped.or(is_grouped),
                ..cargo
            });
            for (files, places) in logs.iter().zip(places) {
                let partition = segments.partition(files.partition).cloned().flatten();
                sent.push((partition, files.clone(), places));
            }
            let shipment = Shipment {
                id: units.next(),
                cargo: cargo.number,
                logs,
                batches: in_batches(files),
                deletes: None,
                is_replaced: false,
            };
            let key = unit_key(units.job, shipment.id);
            units.writes.put(SHIPMENTS, &key, &shipment);
        }
        close(units, open);
        let most = usize::try_from(batch_rows).unwrap_or(usize::MAX) * Unit::MAX_BATCHES;
        for (partition, files, places) in sent {
            for places in places.chunks(most) {
                let taken = Taken::Places(places.to_vec());
                units.rows(partition.clone(), &files, taken, batch_rows);
            }
        }
        Ok(alive)
    }
}

impl Open<'_> {
    /// Whether a segment of so many bytes, and of files of this form if it has some, fits.
    fn takes(
        &self,
        partition: &str,
        bytes: u64,
        most_bytes: u64,
        is_grouped: Option<bool>,
    ) -> bool {
        let forms = self.is_grouped.zip(is_grouped);
        forms.is_none_or(|(ours, its)| ours == its)
            && self.partition == partition
            && self.bytes + bytes <= most_bytes
            && self.segments < MOST_SEGMENTS
    }
}

/// Ends a cargo.
fn close(units: &mut NewUnits<'_>, cargo: Option<Open<'_>>) {
    if let Some(Open {
        partition,
        number,
        is_grouped,
        ..
    }) = cargo
    {
        let record = CargoRecord {
            id: units.next(),
            number,
            partition: partition.to_owned(),
            is_grouped: is_grouped.unwrap_or_default(),
        };
        let key = unit_key(units.job, record.id);
        units.writes.put(CARGOES, &key, &record);
    }
}

/// The files of a segment, each once: several runs of rows may lie in the same.
async fn files(segments: &Segments<'_>, logs: &[LogFiles]) -> Result<Vec<ShippedFile>, Fault> {
    let Some(first) = logs.first() else {
        return Ok(Vec::new());
    };
    let lengths = segments.lengths(first).await?;
    let (mut files, mut seen) = (Vec::new(), BTreeSet::new());
    let all = logs.iter().flat_map(|files| &files.paths);
    for (field, path) in all.filter(|(_, path)| seen.insert(*path)) {
        let number = path.rsplit('/').next().and_then(|log| log.parse().ok());
        let found = number.zip(lengths.get(path).copied());
        let (log, bytes) = found.ok_or_else(|| vanished(&format!("{path:?} is not there")))?;
        files.push(ShippedFile {
            field: *field,
            log,
            path: path.clone(),
            bytes,
        });
    }
    Ok(files)
}

fn size_bytes(files: &[ShippedFile]) -> u64 {
    files.iter().map(|file| file.bytes).sum()
}

/// Files in batches, in their order. With one of deletes there are no more than a unit may have.
fn in_batches(files: Vec<ShippedFile>) -> Vec<Vec<ShippedFile>> {
    // Every batch but the last is filled, so that there is one more than this at most.
    let most = Unit::MAX_BATCHES as u64 - 2;
    let size = BATCH_BYTES.max(size_bytes(&files).div_ceil(most));
    let mut batches: Vec<Vec<ShippedFile>> = Vec::new();
    let mut filled = size;
    for file in files {
        if filled >= size {
            batches.push(Vec::new());
            filled = 0;
        }
        filled += file.bytes;
        if let Some(last) = batches.last_mut() {
            last.push(file);
        }
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(lengths: &[u64]) -> Vec<ShippedFile> {
        let file = |(log, bytes): (i64, &u64)| ShippedFile {
            field: 100,
            log,
            path: format!("100/{log}"),
            bytes: *bytes,
        };
        (0..).zip(lengths).map(file).collect()
    }

    #[test]
    fn small_files_go_together_and_large_ones_alone() {
        let batches = in_batches(files(&[1, 2, 3, BATCH_BYTES, 1, BATCH_BYTES, 5]));
        let lengths: Vec<Vec<u64>> = batches
            .iter()
            .map(|batch| batch.iter().map(|file| file.bytes).collect())
            .collect();
        assert_eq!(
            lengths,
            [vec![1, 2, 3, BATCH_BYTES], vec![1, BATCH_BYTES], vec![5]]
        );
        assert!(in_batches(files(&[])).is_empty());
    }

    #[test]
    fn however_many_files_there_are_their_batches_and_the_deletes_fit_into_a_unit() {
        for lengths in [
            vec![1; 5000],
            vec![BATCH_BYTES; 300],
            vec![64 << 20; 1000],
            (0..3000).map(|number| number << 14).collect(),
        ] {
            let given = files(&lengths);
            let batches = in_batches(given.clone());
            assert!(batches.len() < Unit::MAX_BATCHES, "{}", batches.len());
            assert_eq!(batches.concat(), given);
        }
    }

    #[test]
    fn a_cargo_takes_segments_of_its_partition_up_to_its_bytes_and_their_number() {
        let cargo = Open {
            partition: "a",
            number: 0,
            bytes: 10,
            segments: MOST_SEGMENTS - 1,
            is_grouped: None,
        };
        assert!(cargo.takes("a", 5, 15, None));
        assert!(!cargo.takes("a", 6, 15, None));
        assert!(!cargo.takes("b", 5, 15, None));
        let full = Open {
            segments: MOST_SEGMENTS,
            ..cargo
        };
        assert!(!full.takes("a", 5, 15, None));
    }

    #[test]
    fn a_cargo_has_files_of_one_form_and_any_number_of_segments_without_files() {
        let cargo = |is_grouped| Open {
            partition: "a",
            number: 0,
            bytes: 0,
            segments: 1,
            is_grouped,
        };
        let forms = [None, Some(false), Some(true)];
        for (ours, its) in forms.iter().flat_map(|ours| forms.map(|its| (*ours, its))) {
            let fits = ours.is_none() || its.is_none() || ours == its;
            assert_eq!(cargo(ours).takes("a", 1, 9, its), fits, "{ours:?}, {its:?}");
        }
    }
}
