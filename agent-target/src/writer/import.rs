//! Having Milvus import what was shipped.
//!
//! Milvus imports the same files as often as it is told to. So before an order goes out, one for the same files is looked for; and where
//! an earlier process, or a call without an answer, may have given one a moment ago, that is looked for twice, with a pause between.

use crate::agent::Agent;
use crate::records::CollectionRecord;
use crate::writer::mapping;
use crate::writer::staging::{self, Staged, Staging};
use milvus::{Client, Import, ImportOrder, ImportState, Product};
use model::{Class, CollectionName, DataType, Fault, Field, JobSpec, codes};
use protocol::Cargo;
use protocol::call::CollectionPlan;
use std::time::Duration;

/// How often an import is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// How long an order that was given and not answered takes at most until it is listed.
const LISTED_WITHIN: Duration = Duration::from_secs(5);

/// The ids that Milvus gives to the fields of a new collection: from here, in their order.
const FIRST_FIELD: i64 = 100;

/// The types whose files 2.3 can import: of halves it has the fields, and no room in its importer (`importutil.initBlockData`).
const TYPES: [DataType; 12] = [
    DataType::BOOL,
    DataType::INT8,
    DataType::INT16,
    DataType::INT32,
    DataType::INT64,
    DataType::FLOAT,
    DataType::DOUBLE,
    DataType::VARCHAR,
    DataType::ARRAY,
    DataType::JSON,
    DataType::BINARY_VECTOR,
    DataType::FLOAT_VECTOR,
];

/// Imports the cargoes of one collection.
#[derive(Debug)]
pub(crate) struct Importer<'a> {
    agent: &'a Agent,
    milvus: Client,
    staging: Staging<'a>,
    target: &'a CollectionName,
}

/// Why a collection's files can't be imported here, if so.
pub(crate) async fn obstacle(
    agent: &Agent,
    spec: &JobSpec,
    plan: &CollectionPlan,
    is_appended: bool,
) -> Option<String> {
    let version = agent.milvus.version();
    let Some(storage) = &agent.storage else {
        return Some("the target's agent has no `storage` section".to_owned());
    };
    if version.product() != Product::Milvus
        || !version.at_least(2, 3, 0)
        || version.at_least(2, 4, 0)
    {
        return Some(format!(
            "the target is {version}, and importing is built for Milvus 2.3"
        ));
    }
    if is_appended {
        return Some(
            "rows are added to a collection that is there, and keys of theirs may be there too"
                .to_owned(),
        );
    }
    if mapping::regenerates_keys(spec, plan) {
        return Some("the target is to make new keys".to_owned());
    }
    let fields = &plan.source.schema.fields;
    let is_numbered = |(place, field): (i64, &Field)| field.id == FIRST_FIELD + place;
    if !(0..).zip(fields).all(is_numbered) {
        return Some("its fields are not numbered as those of a new collection are".to_owned());
    }
    if let Some(field) = fields
        .iter()
        .find(|field| !TYPES.contains(&field.data_type))
    {
        let Field {
            name, data_type, ..
        } = field;
        return Some(format!(
            "the target can't import {data_type}, which field {name} is"
        ));
    }
    match staging::prove(storage, &plan.job).await {
        Ok(()) => None,
        Err(fault) => Some(format!("{} ({})", fault.message, fault.hint)),
    }
}

impl<'a> Importer<'a> {
    /// For a collection that was created.
    ///
    /// # Errors
    /// `storage_unusable` where the agent has no storage any more.
    pub(crate) fn new(agent: &'a Agent, record: &'a CollectionRecord) -> Result<Self, Fault> {
        let target = &record.plan.target;
        Ok(Self {
            agent,
            milvus: agent.milvus.in_database(&target.database),
            staging: agent.staging(record)?,
            target,
        })
    }

    /// Imports a cargo, all files of which are there: its rows are to be seen when this succeeds.
    ///
    /// # Cancel safety
    /// The next call finds the order that was given.
    ///
    /// # Errors
    /// `import_failed` with Milvus's reason, after which nothing of it is there and it may be tried again; `import_incomplete`; those of
    /// the storage and of Milvus.
    pub(crate) async fn import(
        &self,
        partition: Option<&str>,
        cargo: Cargo,
        is_in_doubt: bool,
    ) -> Result<u64, Fault> {
        let staged = self.ensure_staged(cargo).await?;
        if cargo.rows == 0 {
            return Ok(0);
        }
        let rows = self.staging.rows_for_milvus(cargo.number);
        let mut import = self.find(&rows).await?;
        if import.is_none() && is_in_doubt {
            tokio::time::sleep(LISTED_WITHIN).await;
            import = self.find(&rows).await?;
        }
        let import = match import {
            Some(import) => import,
            None => self.order(partition, cargo, &rows, staged).await?,
        };
        self.wait(import, cargo).await
    }

    async fn ensure_staged(&self, cargo: Cargo) -> Result<Staged, Fault> {
        let staged = self.staging.look(cargo.number).await?;
        if (staged.files, staged.bytes) == (cargo.files, cargo.bytes) {
            return Ok(staged);
        }
        let message = format!(
            "collection {}: {} has {} files of {} bytes, and {} of {} were shipped",
            self.target,
            self.staging.rows_for_milvus(cargo.number),
            staged.files,
            staged.bytes,
            cargo.files,
            cargo.bytes
        );
        let hint = "see who else writes to the folder `passage` of the target's storage; then cancel the job and create it anew";
        Err(Fault::new(
            codes::IMPORT_INCOMPLETE,
            Class::Permanent,
            message,
            hint,
        ))
    }

    /// The latest order to import these files, but for those that failed.
    async fn find(&self, rows: &str) -> Result<Option<Import>, Fault> {
        let imports = self.milvus.imports(&self.target.collection).await?;
        let is_ours = |import: &Import| import.files.split(',').any(|file| file == rows);
        let has_failed = |import: &Import| matches!(import.state, ImportState::Failed { .. });
        let ours = imports
            .into_iter()
            .filter(|import| is_ours(import) && !has_failed(import));
        Ok(ours.max_by_key(|import| import.id))
    }

    async fn order(
        &self,
        partition: Option<&str>,
        cargo: Cargo,
        rows: &str,
        staged: Staged,
    ) -> Result<Import, Fault> {
        let deletes = self.staging.deletes_for_milvus(cargo.number);
        let order = ImportOrder {
            collection: &self.target.collection,
            partition,
            rows,
            deletes: staged.has_deletes.then_some(deletes.as_str()),
        };
        let points = self.agent.journal.points();
        points.pass("target.import.order.before");
        let ordered = self.milvus.import(&order).await?;
        points.pass("target.import.order.after");
        let Some(id) = ordered.first() else {
            return Err(failed(
                self.target,
                "Milvus took the order and gave it no number",
            ));
        };
        tracing::info!(collection = %self.target, files = rows, "import is ordered");
        Ok(self.milvus.import_state(*id).await?)
    }

    async fn wait(&self, mut import: Import, cargo: Cargo) -> Result<u64, Fault> {
        loop {
            match &import.state {
                ImportState::Completed => break,
                ImportState::Failed { reason } => return Err(failed(self.target, reason)),
                ImportState::Pending | ImportState::Started | ImportState::Persisted => {}
            }
            tokio::time::sleep(LOOK_EVERY).await;
            import = self.milvus.import_state(import.id).await?;
        }
        if import.rows == cargo.rows {
            tracing::info!(collection = %self.target, cargo = cargo.number, rows = cargo.rows, "imported");
            return Ok(import.rows);
        }
        let message = format!(
            "collection {}: Milvus made {} rows of files that hold {}",
            self.target, import.rows, cargo.rows
        );
        let hint = "cancel the job, and create it anew with `copy: rows`";
        Err(Fault::new(
            codes::IMPORT_INCOMPLETE,
            Class::Permanent,
            message,
            hint,
        ))
    }
}

fn failed(collection: &CollectionName, reason: &str) -> Fault {
    let message =
        format!("collection {collection}: the target could not import its files: {reason}");
    let hint = "look into the target's log for the cause; it is tried again, and `copy: rows` in a new job does without importing";
    Fault::new(codes::IMPORT_FAILED, Class::Operator, message, hint)
}
