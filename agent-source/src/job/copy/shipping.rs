//! Segments whose files are shipped as they are, and imported by the target's Milvus.
//!
//! ```text
//! cargo:  segment ─► deletes, files, files, …  ┐
//!         segment ─► deletes, files, …         ┴─ all durable ─► import        the next cargo is on its way meanwhile
//! ```
//! What is in the journal before anything is sent: every file of every segment, and which of them are imported together. So a restart
//! goes on with the same files, and an import means the same rows.

use super::segments::{NewUnits, Way};
use super::{CollectionRun, StepError, missing};
use crate::outbox::{Closed, Parcel, Portion, Portions};
use crate::reader::segments::{Fate, LogFiles, Segments};
use crate::records::{
    CARGOES, CargoRecord, SHIPMENTS, Shipment, ShippedDeletes, ShippedFile, Taken, unit_key,
};
use bytes::Bytes;
use futures::{FutureExt, TryStreamExt};
use model::{Batch, BatchIndex, Class, Column, DataType, Fault, Payload, Unit, codes};
use protocol::{BatchName, Cargo, FilePiece, SegmentFile, Whole};
use runtime::telemetry::metric_names::{READER_BYTES, READER_ROWS};
use std::collections::BTreeMap;
use tokio::sync::mpsc;

/// How much of a file is in memory and on the wire at once.
const PIECE_BYTES: u64 = 1 << 20;

/// How large a batch of files is meant to be: so much is sent again at most when a line was cut.
const BATCH_BYTES: u64 = 16 << 20;

/// How much is imported at once, roughly: while one cargo is imported, the next is on its way.
const CARGO_BYTES: u64 = 1 << 30;

impl CollectionRun<'_> {
    /// Decides which files are shipped in which order, and which rows are sent as such.
    pub(super) async fn list_shipped(
        &self,
        segments: &Segments<'_>,
        list: Vec<LogFiles>,
        batch_rows: u64,
        units: &mut NewUnits<'_>,
    ) -> Result<(), StepError> {
        let most_bytes = self.agent.limits.segment_bytes;
        let alive = segments.alive(&list, most_bytes).await?;
        // Segments of the same partition, by the ids of both.
        let mut by_segment: BTreeMap<(&str, i64), Vec<LogFiles>> = BTreeMap::new();
        for files in list {
            if let Some(partition) = segments.name(files.partition) {
                let key = (partition, files.segment);
                by_segment.entry(key).or_default().push(files);
            }
        }
        let mut open: Option<(&str, u32, u64)> = None;
        let mut cargoes = 0;
        let mut sent = Vec::new();
        for ((partition, _), logs) in by_segment {
            let (batches, bytes) = batches(segments, &logs).await?;
            let fits = |(of, _, filled): &(&str, u32, u64)| {
                *of == partition && filled + bytes <= CARGO_BYTES
            };
            let (_, cargo, filled) = match open.take() {
                Some(cargo) if fits(&cargo) => cargo,
                before => {
                    close(units, before);
                    cargoes += 1;
                    (partition, cargoes - 1, 0)
                }
            };
            open = Some((partition, cargo, filled + bytes));
            let mut places = vec![Vec::new(); logs.len()];
            segments
                .part(&logs, &alive, |place, row, _, fate| {
                    if fate == Fate::Sent {
                        places[place].push(row as u64);
                    }
                })
                .await?;
            for (files, places) in logs.iter().zip(places) {
                let partition = segments.partition(files.partition).cloned().flatten();
                sent.push((partition, files.clone(), places));
            }
            let shipment = Shipment {
                id: units.next(),
                cargo,
                logs,
                batches,
                deletes: None,
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
        Ok(())
    }

    /// Ships every file that is not durable yet, and orders every import. All is ordered when this returns, and the last of it under way.
    pub(super) async fn ship(
        &self,
        way: &Way<'_>,
        shipments: Vec<Shipment>,
    ) -> Result<(), StepError> {
        let plan = &self.record.plan;
        let mut shipments = shipments.into_iter().peekable();
        for cargo in self.agent.cargoes(&plan.job, plan.index)? {
            let mut load = Vec::new();
            while let Some(shipment) = shipments.next_if(|next| next.cargo == cargo.number) {
                load.push(shipment);
            }
            if way.durable.missing_of(cargo.id.number).is_none() {
                continue;
            }
            futures::stream::iter(load.iter_mut().map(Ok))
                .try_for_each_concurrent(self.agent.limits.readers, |shipment| {
                    self.ship_segment(way, shipment).boxed()
                })
                .await?;
            let units: Vec<_> = load.iter().map(|shipment| shipment.id).collect();
            way.copying.wait_arrived(|unit| units.contains(&unit)).await;
            tracing::info!(
                cargo = cargo.number,
                segments = units.len(),
                "files are shipped"
            );
            self.order_import(way, cargo, &load).await?;
        }
        Ok(())
    }

    async fn ship_segment(&self, way: &Way<'_>, shipment: &mut Shipment) -> Result<(), StepError> {
        let batches = shipment.batches();
        let indexes = (0..batches).filter_map(|place| BatchIndex::new(place).ok());
        for index in missing(way.durable, shipment.id, indexes) {
            let permit = self.agent.hold_batch().await;
            let name = BatchName {
                job: self.record.plan.job.clone(),
                unit: shipment.id,
                index,
            };
            let (pieces, coming) = mpsc::channel(1);
            way.copying.handle_sent(name.clone());
            let parcel = Parcel {
                portions: Portions::Coming(coming),
                permit: Some(permit),
            };
            self.session.outbox.send(parcel).await?;
            let parcel = Sending {
                name: name.clone(),
                unit_batches: batches,
                cargo: shipment.cargo,
                pieces,
            };
            let sent = match index.number() {
                0 => self.send_deletes(way, shipment, parcel).await,
                number => {
                    let files = shipment.batches.get(number as usize - 1);
                    let files = files.map_or(&[][..], Vec::as_slice);
                    self.send_files(way, shipment, files, parcel).await
                }
            };
            if sent.is_err() {
                way.copying.handle_given_up(&name);
            }
            sent?;
        }
        Ok(())
    }

    /// Sends the deletes with which a segment is imported. How many there are is in the journal first.
    async fn send_deletes(
        &self,
        way: &Way<'_>,
        shipment: &mut Shipment,
        parcel: Sending,
    ) -> Result<(), StepError> {
        let left_out = way.segments.left_out(&shipment.logs, way.alive).await?;
        shipment.deletes = Some(ShippedDeletes {
            files: left_out.files.len() as u64,
            bytes: left_out.files.iter().map(|file| file.len() as u64).sum(),
            rows: left_out.rows,
        });
        let points = self.agent.journal.points();
        points.pass("source.shipment.deletes.before");
        let job = &self.record.plan.job;
        self.agent
            .put_shipment(job, shipment)
            .await
            .map_err(Fault::from)?;
        points.pass("source.shipment.deletes.after");
        let segment = shipment.logs.first().map_or(0, |files| files.segment);
        let number = left_out.files.len();
        if number == 0 {
            return Ok(parcel.nothing().await?);
        }
        for (log, file) in (1..).zip(left_out.files) {
            let named = SegmentFile {
                segment,
                field: None,
                log,
            };
            let file_bytes = file.len() as u64;
            for offset in offsets(file_bytes) {
                let end = (offset + PIECE_BYTES).min(file_bytes);
                let piece = FilePiece {
                    file: named,
                    offset,
                    file_bytes,
                };
                let is_last = log == number as i64 && end == file_bytes;
                let bytes = file.slice(offset as usize..end as usize);
                parcel.piece(piece, bytes, is_last).await?;
            }
        }
        Ok(())
    }

    async fn send_files(
        &self,
        way: &Way<'_>,
        shipment: &Shipment,
        files: &[ShippedFile],
        parcel: Sending,
    ) -> Result<(), StepError> {
        let segment = shipment.logs.first().map_or(0, |files| files.segment);
        for (place, file) in files.iter().enumerate() {
            for offset in offsets(file.bytes) {
                let end = (offset + PIECE_BYTES).min(file.bytes);
                self.agent.throttle(0, end - offset).await;
                let bytes = way.segments.bytes(&file.path, offset..end).await?;
                metrics::counter!(READER_BYTES).increment(bytes.len() as u64);
                let piece = FilePiece {
                    file: SegmentFile {
                        segment,
                        field: Some(file.field),
                        log: file.log,
                    },
                    offset,
                    file_bytes: file.bytes,
                };
                let is_last = place + 1 == files.len() && end == file.bytes;
                parcel.piece(piece, bytes, is_last).await?;
            }
        }
        Ok(())
    }

    async fn order_import(
        &self,
        way: &Way<'_>,
        cargo: CargoRecord,
        load: &[Shipment],
    ) -> Result<(), StepError> {
        let mut whole = Cargo {
            number: cargo.number,
            files: 0,
            bytes: 0,
            rows: 0,
        };
        for shipment in load {
            let deletes = shipment.deletes.ok_or_else(not_noted)?;
            let files = shipment.batches.iter().flatten();
            whole.files += deletes.files + files.clone().count() as u64;
            whole.bytes += deletes.bytes + files.map(|file| file.bytes).sum::<u64>();
            let rows: u64 = shipment.logs.iter().map(|files| files.rows).sum();
            whole.rows += rows - deletes.rows;
        }
        metrics::counter!(READER_ROWS).increment(whole.rows);
        let name = BatchName {
            job: self.record.plan.job.clone(),
            unit: cargo.id,
            index: BatchIndex::new(0).map_err(|_| not_noted())?,
        };
        way.copying.handle_sent(name.clone());
        let portion = Portion {
            whole: Whole::Import { name, cargo: whole },
            partition: Some(cargo.partition),
            rows: Batch::default(),
        };
        let parcel = Parcel {
            portions: Portions::Ready(vec![portion]),
            permit: None,
        };
        Ok(self.session.outbox.send(parcel).await?)
    }
}

/// Ends a cargo.
fn close(units: &mut NewUnits<'_>, cargo: Option<(&str, u32, u64)>) {
    if let Some((partition, number, _)) = cargo {
        let record = CargoRecord {
            id: units.next(),
            number,
            partition: partition.to_owned(),
        };
        let key = unit_key(units.job, record.id);
        units.writes.put(CARGOES, &key, &record);
    }
}

/// The files of a segment, in batches; and how many bytes they have.
async fn batches(
    segments: &Segments<'_>,
    logs: &[LogFiles],
) -> Result<(Vec<Vec<ShippedFile>>, u64), Fault> {
    let Some(first) = logs.first() else {
        return Ok((Vec::new(), 0));
    };
    let lengths = segments.lengths(first).await?;
    let mut files = Vec::new();
    for (field, path) in logs.iter().flat_map(|files| &files.paths) {
        let number = path.rsplit('/').next().and_then(|log| log.parse().ok());
        let (log, bytes) = number.zip(lengths.get(path).copied()).ok_or_else(|| {
            let message = format!("{path:?} was there a moment ago, and is not any more");
            let hint = "nothing is lost: it is looked at again";
            Fault::new(codes::STORAGE_MISSING, Class::Operator, message, hint)
        })?;
        files.push(ShippedFile {
            field: *field,
            log,
            path: path.clone(),
            bytes,
        });
    }
    let whole: u64 = files.iter().map(|file| file.bytes).sum();
    // One batch is of deletes. As long as a batch is filled, there are no more than this many of them, and the last.
    let most = Unit::MAX_BATCHES as u64 - 2;
    let size = BATCH_BYTES.max(whole.div_ceil(most));
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
    Ok((batches, whole))
}

/// Where the pieces of a file begin. An empty one has one piece.
fn offsets(bytes: u64) -> impl Iterator<Item = u64> {
    (0..bytes.max(1)).step_by(PIECE_BYTES as usize)
}

/// A batch of files that is being sent.
struct Sending {
    name: BatchName,
    unit_batches: u32,
    cargo: u32,
    pieces: mpsc::Sender<(Portion, bool)>,
}

impl Sending {
    async fn piece(&self, piece: FilePiece, bytes: Bytes, is_last: bool) -> Result<(), Closed> {
        let column = Column {
            name: String::new(),
            field_id: 0,
            data_type: DataType::new(0),
            is_dynamic: false,
            valid: Bytes::new(),
            payload: Payload::File(bytes),
        };
        let rows = Batch {
            rows: 0,
            columns: vec![column],
        };
        self.send(Some(piece), rows, is_last).await
    }

    /// The batch has no file.
    async fn nothing(&self) -> Result<(), Closed> {
        self.send(None, Batch::default(), true).await
    }

    async fn send(
        &self,
        piece: Option<FilePiece>,
        rows: Batch,
        is_last: bool,
    ) -> Result<(), Closed> {
        let portion = Portion {
            whole: Whole::Files {
                name: self.name.clone(),
                unit_batches: self.unit_batches,
                cargo: self.cargo,
                piece,
            },
            partition: None,
            rows,
        };
        let sent = self.pieces.send((portion, is_last)).await;
        sent.map_err(|_| Closed)
    }
}

fn not_noted() -> Fault {
    let what = "a segment was shipped, and the journal does not say with which deletes";
    Fault::new(
        codes::BUG,
        Class::Bug,
        what,
        "report this as a defect of Passage",
    )
}
