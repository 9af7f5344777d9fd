//! Files as they arrive: the pieces of a batch are written one after the other, and the last makes the batch durable.

use super::chain::Link;
use super::{Pipeline, RETRY, Session, Undelivered, violation};
use crate::ledgers::{OpenUnit, Turn};
use crate::writer::staging::Staging;
use bytes::Bytes;
use model::Batch;
use protocol::ledger::Write;
use protocol::{BatchName, Confirm, FilePiece, Place, SegmentFile, Whole};
use runtime::backoff::Backoff;
use runtime::telemetry::metric_names::WRITER_BYTES;
use std::sync::Arc;
use storage::{StorageError, Upload};

/// A batch that is being stored. Handed from piece to piece; when it is dropped, files that are not whole are none.
#[derive(Debug)]
pub(super) struct Storing {
    unit: Arc<OpenUnit>,
    turn: Turn,
    open: Option<(SegmentFile, Upload)>,
    bytes: u64,
}

/// A piece's place in the chain of its batch's pieces.
#[derive(Debug)]
pub(super) struct FilesPart {
    name: BatchName,
    unit_batches: u32,
    cargo: u32,
    piece: Option<FilePiece>,
    link: Link<Storing>,
}

impl Pipeline {
    /// Chains a piece to the one before it; `None` when that never came.
    pub(super) fn chain_files(&mut self, place: &Place) -> Option<FilesPart> {
        let Whole::Files {
            name,
            unit_batches,
            cargo,
            piece,
        } = place.whole.clone()
        else {
            return None;
        };
        let link = self.files.link(&name, place)?;
        Some(FilesPart {
            name,
            unit_batches,
            cargo,
            piece,
            link,
        })
    }
}

impl Session {
    /// Stores a piece once those before it are. Gives what is to be confirmed when it was the last of its batch.
    pub(super) async fn store(
        &self,
        mut part: FilesPart,
        rows: Batch,
    ) -> Result<Option<Confirm>, Undelivered> {
        let name = &part.name;
        let mut storing = match part.link.before.take() {
            None => {
                let (unit, turn) = self.begin(name, part.unit_batches).await?;
                Storing {
                    unit,
                    turn,
                    open: None,
                    bytes: 0,
                }
            }
            Some(before) => match before.await {
                Ok(storing) => storing,
                // The one before has told why.
                Err(_) => return Ok(None),
            },
        };
        let is_known = storing.turn.write == Write::Known;
        if let (Some(piece), false) = (part.piece, is_known) {
            let bytes = rows.columns.first().map(|column| column.payload.bytes());
            self.store_piece(&part, piece, bytes.unwrap_or_default(), &mut storing)
                .await?;
        }
        if let Some(after) = part.link.after.take() {
            // Nobody takes it up when the session is over.
            let _ = after.send(storing);
            return Ok(None);
        }
        if storing.open.is_some() {
            let text = format!("a file of unit {} ends before it is whole", name.unit);
            return Err(violation(text).into());
        }
        let (rows, bytes) = (0, storing.bytes);
        if !is_known {
            self.patiently(&name.job, || async {
                let ledgers = &self.agent.ledgers;
                Ok(ledgers
                    .acknowledge(name, &storing.unit, rows, bytes)
                    .await?)
            })
            .await?;
            metrics::counter!(WRITER_BYTES).increment(bytes);
        }
        let name = name.clone();
        Ok(Some(Confirm::Batch { name, rows, bytes }))
    }

    async fn store_piece(
        &self,
        part: &FilesPart,
        piece: FilePiece,
        bytes: Bytes,
        storing: &mut Storing,
    ) -> Result<(), Undelivered> {
        let name = &part.name;
        if self.over.is_cancelled() {
            return Err(Undelivered::SessionOver);
        }
        if piece.offset == 0 {
            let record = self
                .agent
                .begun_collection(&name.job, name.unit.collection)?;
            let staging: Staging<'_> = self.agent.staging(&record)?;
            let begin = || async { Ok(staging.upload(part.cargo, piece.file).await?) };
            let upload = self.patiently(&name.job, begin).await?;
            storing.open = Some((piece.file, upload));
        }
        let fits = |open: &&mut (SegmentFile, Upload)| {
            let (file, upload) = &**open;
            *file == piece.file && upload.bytes() == piece.offset
        };
        let Some((_, upload)) = storing.open.as_mut().filter(fits) else {
            let text = format!(
                "a piece of unit {} does not follow the one before it",
                name.unit
            );
            return Err(violation(text).into());
        };
        storing.bytes += bytes.len() as u64;
        let is_whole = upload.bytes() + bytes.len() as u64 == piece.file_bytes;
        let mut backoff = Backoff::new(RETRY.0, RETRY.1);
        let mut waited = false;
        while let Err(error) = write(upload, &bytes, is_whole).await {
            let goes_on = upload.may_go_on();
            self.wait(&name.job, error.into(), &mut backoff).await?;
            if !goes_on {
                // What was sent of the batch is lost: the source sends it anew in another session.
                self.over.cancel();
                return Err(Undelivered::SessionOver);
            }
            waited = true;
        }
        if waited {
            self.goes_on(&name.job).await;
        }
        if is_whole {
            storing.open = None;
        }
        Ok(())
    }
}

async fn write(upload: &mut Upload, bytes: &Bytes, is_last: bool) -> Result<(), StorageError> {
    upload.write(bytes).await?;
    if is_last {
        upload.finish().await
    } else {
        Ok(())
    }
}
