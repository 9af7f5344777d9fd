//! Segments whose files are shipped as they are, and imported by the target's Milvus.
//!
//! ```text
//! cargo:  segment ─► deletes, files, files, …  ┐
//!         segment ─► deletes, files, …         ┴─ all durable ─► import        the next cargo is on its way meanwhile
//! ```
//! What is in the journal before anything is sent: every file of every segment, and which of them are imported together. So a restart
//! goes on with the same files, and an import means the same rows.

mod list;
mod sending;

use super::segments::Way;
use super::{CollectionRun, StepError, missing};
use crate::outbox::{Parcel, Portion, Portions};
use crate::records::{CargoRecord, Shipment, ShippedDeletes, ShippedFile};
use futures::{FutureExt, TryStreamExt};
use model::{Batch, BatchIndex, Class, Fault, codes};
use protocol::{BatchName, Cargo, FilePiece, SegmentFile, Whole};
use runtime::telemetry::metric_names::{READER_BYTES, READER_ROWS};
use sending::Sending;

/// How much of a file is in memory and on the wire at once.
const PIECE_BYTES: u64 = 1 << 20;

impl CollectionRun<'_> {
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
            let (sending, coming) = Sending::begin(way.copying, name, batches, shipment.cargo);
            let parcel = Parcel {
                portions: Portions::Coming(coming),
                permit: Some(permit),
            };
            self.session.outbox.send(parcel).await?;
            match index.number() {
                0 => self.send_deletes(way, shipment, sending).await?,
                number => {
                    let files = shipment.batches.get(number as usize - 1);
                    let files = files.map_or(&[][..], Vec::as_slice);
                    self.send_files(way, shipment, files, sending).await?;
                }
            }
        }
        Ok(())
    }

    /// Sends the deletes with which a segment is imported. How many there are is in the journal first.
    async fn send_deletes(
        &self,
        way: &Way<'_>,
        shipment: &mut Shipment,
        mut sending: Sending<'_>,
    ) -> Result<(), StepError> {
        let mut left_out = way
            .segments
            .left_out(&shipment.logs, way.alive, way.replaced)
            .await?;
        if shipment.batches.is_empty() {
            // Without rows there is nothing to delete.
            left_out.files.clear();
        }
        shipment.deletes = Some(ShippedDeletes {
            files: left_out.files.len() as u64,
            bytes: left_out.files.iter().map(|file| file.len() as u64).sum(),
            rows: left_out.rows,
        });
        let points = self.agent.journal.points();
        points.pass("source.shipment.deletes.before");
        let job = &self.record.plan.job;
        self.agent
            .put_shipment(job, shipment, &left_out.shipped)
            .await
            .map_err(Fault::from)?;
        points.pass("source.shipment.deletes.after");
        let segment = shipment.segment();
        let number = left_out.files.len();
        if number == 0 {
            return Ok(sending.nothing().await?);
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
                sending.piece(piece, bytes, is_last).await?;
            }
        }
        Ok(())
    }

    async fn send_files(
        &self,
        way: &Way<'_>,
        shipment: &Shipment,
        files: &[ShippedFile],
        mut sending: Sending<'_>,
    ) -> Result<(), StepError> {
        let segment = shipment.segment();
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
                sending.piece(piece, bytes, is_last).await?;
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
            is_grouped: cargo.is_grouped,
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
        let mut leaving = way.copying.begin(name.clone());
        let portion = Portion {
            whole: Whole::Import { name, cargo: whole },
            partition: Some(cargo.partition),
            rows: Batch::default(),
        };
        let parcel = Parcel {
            portions: Portions::Ready(vec![portion]),
            permit: None,
        };
        self.session.outbox.send(parcel).await?;
        leaving.handle_sent();
        Ok(())
    }
}

/// Where the pieces of a file begin. An empty one has one piece.
fn offsets(bytes: u64) -> impl Iterator<Item = u64> {
    (0..bytes.max(1)).step_by(PIECE_BYTES as usize)
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
