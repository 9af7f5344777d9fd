//! A cargo whose files are all there: it is imported, and its unit is durable then.

use super::{Session, Undelivered};
use crate::writer::import::Importer;
use protocol::ledger::Write;
use protocol::{BatchName, Cargo, Confirm};
use runtime::telemetry::metric_names::WRITER_ROWS;

impl Session {
    /// Imports until Milvus has the rows.
    pub(super) async fn import(
        &self,
        name: BatchName,
        partition: Option<&str>,
        cargo: Cargo,
    ) -> Result<Option<Confirm>, Undelivered> {
        let (unit, turn) = self.begin(&name, 1).await?;
        let (rows, bytes) = (cargo.rows, 0);
        if turn.write != Write::Known {
            let record = self
                .agent
                .begun_collection(&name.job, name.unit.collection)?;
            let importer = Importer::new(&self.agent, &record)?;
            let mut is_in_doubt = turn.write == Write::Upsert;
            let import = self.patiently(&name.job, || {
                // Whatever came of it, an order may have been given by then.
                let is_in_doubt = std::mem::replace(&mut is_in_doubt, true);
                importer.import(partition, cargo, is_in_doubt)
            });
            // What was ordered goes on without us, and is found by the next session.
            tokio::select! {
                imported = import => imported?,
                () = self.over.cancelled() => return Err(Undelivered::SessionOver),
            };
            let note = || async {
                let ledgers = &self.agent.ledgers;
                Ok(ledgers.acknowledge(&name, &unit, rows, bytes).await?)
            };
            self.patiently(&name.job, note).await?;
            metrics::counter!(WRITER_ROWS).increment(rows);
        }
        Ok(Some(Confirm::Batch { name, rows, bytes }))
    }
}
