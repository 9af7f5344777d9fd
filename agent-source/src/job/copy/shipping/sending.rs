//! A batch of files on its way, piece by piece.

use crate::outbox::{Closed, Portion};
use bytes::Bytes;
use model::{Batch, Column, DataType, Payload};
use protocol::{BatchName, FilePiece, Whole};
use tokio::sync::mpsc;

/// A batch of files that is being sent.
pub(super) struct Sending {
    pub(super) name: BatchName,
    pub(super) unit_batches: u32,
    pub(super) cargo: u32,
    pub(super) pieces: mpsc::Sender<(Portion, bool)>,
}

impl Sending {
    /// Sends a piece; the last of its batch says so.
    pub(super) async fn piece(
        &self,
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
    pub(super) async fn nothing(&self) -> Result<(), Closed> {
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
