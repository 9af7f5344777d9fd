//! A batch of files on its way, piece by piece.

use crate::copying::{Copying, Leaving};
use crate::outbox::{Closed, Portion};
use bytes::Bytes;
use model::{Batch, Column, DataType, Payload};
use protocol::{BatchName, FilePiece, Whole};
use tokio::sync::mpsc;

/// A batch of files that is being sent. One that is dropped before its last piece was sent is given up.
pub(super) struct Sending<'a> {
    leaving: Leaving<'a>,
    unit_batches: u32,
    cargo: u32,
    pieces: mpsc::Sender<(Portion, bool)>,
}

impl<'a> Sending<'a> {
    /// A batch, and its pieces as they come.
    pub(super) fn begin(
        copying: &'a Copying,
        name: BatchName,
        unit_batches: u32,
        cargo: u32,
    ) -> (Self, mpsc::Receiver<(Portion, bool)>) {
        let (pieces, coming) = mpsc::channel(1);
        let sending = Self {
            leaving: copying.begin(name),
            unit_batches,
            cargo,
            pieces,
        };
        (sending, coming)
    }

    /// Sends a piece; the last of its batch says so.
    pub(super) async fn piece(
        &mut self,
        piece: FilePiece,
        bytes: Bytes,
        is_last: bool,
    ) -> Result<(), Closed> {
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
    pub(super) async fn nothing(&mut self) -> Result<(), Closed> {
        self.send(None, Batch::default(), true).await
    }

    async fn send(
        &mut self,
        piece: Option<FilePiece>,
        rows: Batch,
        is_last: bool,
    ) -> Result<(), Closed> {
        let portion = Portion {
            whole: Whole::Files {
                name: self.leaving.name().clone(),
                unit_batches: self.unit_batches,
                cargo: self.cargo,
                piece,
            },
            partition: None,
            rows,
        };
        let sent = self.pieces.send((portion, is_last)).await;
        sent.map_err(|_| Closed)?;
        if is_last {
            self.leaving.handle_sent();
        }
        Ok(())
    }
}
