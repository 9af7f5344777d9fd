//! Which files are copied: listed at first, and again once Milvus has replaced segments of which files are to be read yet.
//!
//! Compaction puts the rows of segments into others, and hours later the files of those are removed. What was shipped as a whole stays
//! as it is, and so does what is there whole; the rest is planned anew, by the segments that are there. A row keeps its number in its new
//! segment, so that no import makes it a second time; rows that are not imported are written over those that are there.

use super::CollectionRun;
use crate::agent::Agent;
use crate::job::StepError;
use crate::reader::segments::{Alive, LogFiles, Replaced, Segments};
use crate::records::{
    CARGOES, COLLECTIONS, CargoRecord, SEGMENT_UNITS, SHIPMENTS, SHIPPED_ROWS, SegmentUnit,
    Shipment, Taken, collection_key, unit_key,
};
use model::{CollectionIndex, Fault, JobName, Unit, UnitId};
use protocol::call::{CollectionPlan, Durable};
use runtime::journal::{JournalError, Writes};
use std::collections::BTreeSet;

/// What is copied, as the journal has it.
#[derive(Debug)]
pub(super) struct Listing {
    pub(super) units: Vec<SegmentUnit>,
    pub(super) shipments: Vec<Shipment>,
    cargoes: Vec<CargoRecord>,
}

/// Units that are found, each with the next number.
#[derive(Debug)]
pub(super) struct NewUnits<'a> {
    pub(super) job: &'a JobName,
    pub(super) collection: CollectionIndex,
    pub(super) writes: Writes,
    /// Segments whose rows need no new units.
    pub(super) known: BTreeSet<i64>,
    /// The segments that were shipped and are there no more.
    pub(super) replaced: Replaced,
    /// Whether rows may have been sent by other units before.
    is_again: bool,
    number: u32,
    cargo: u32,
}

impl NewUnits<'_> {
    /// The name of the next unit.
    pub(super) fn next(&mut self) -> UnitId {
        self.number += 1;
        UnitId {
            collection: self.collection,
            number: self.number - 1,
        }
    }

    /// The number of the next cargo.
    pub(super) fn next_cargo(&mut self) -> u32 {
        self.cargo += 1;
        self.cargo - 1
    }

    /// Units of all rows of these files.
    pub(super) fn runs(&mut self, partition: Option<String>, files: &LogFiles, batch_rows: u64) {
        let most = batch_rows * Unit::MAX_BATCHES as u64;
        for first in (0..files.rows).step_by(usize::try_from(most).unwrap_or(usize::MAX)) {
            let taken = Taken::Run(first..(first + most).min(files.rows));
            self.rows(partition.clone(), files, taken, batch_rows);
        }
    }

    /// A unit of rows.
    pub(super) fn rows(
        &mut self,
        partition: Option<String>,
        files: &LogFiles,
        taken: Taken,
        batch_rows: u64,
    ) {
        let unit = SegmentUnit {
            id: self.next(),
            partition,
            files: files.clone(),
            taken,
            batch_rows,
            is_again: self.is_again,
        };
        let key = unit_key(self.job, unit.id);
        self.writes.put(SEGMENT_UNITS, &key, &unit);
    }
}

impl Listing {
    /// That of a collection.
    pub(super) fn read(agent: &Agent, plan: &CollectionPlan) -> Result<Self, JournalError> {
        Ok(Self {
            units: agent.segment_units(&plan.job, plan.index)?,
            shipments: agent.shipments(&plan.job, plan.index)?,
            cargoes: agent.cargoes(&plan.job, plan.index)?,
        })
    }

    /// The files in which the collection's rows are.
    pub(super) fn files(&self) -> Vec<LogFiles> {
        let there = self
            .shipments
            .iter()
            .filter(|shipment| !shipment.is_replaced);
        let shipped = there.flat_map(|shipment| &shipment.logs);
        // Rows that are sent by their places are those of segments that are shipped.
        let is_first =
            |unit: &&SegmentUnit| matches!(&unit.taken, Taken::Run(run) if run.start == 0);
        let sent = self.units.iter().filter(is_first).map(|unit| &unit.files);
        shipped.chain(sent).cloned().collect()
    }

    /// The segments that were shipped and are there no more.
    pub(super) fn replaced(&self, job: &JobName) -> Replaced {
        let gone = self
            .shipments
            .iter()
            .filter(|shipment| shipment.is_replaced);
        Replaced {
            job: job.clone(),
            units: gone.map(|shipment| shipment.id).collect(),
        }
    }

    /// The segments that files are read of.
    fn segments(&self) -> BTreeSet<i64> {
        self.files().iter().map(|files| files.segment).collect()
    }

    /// Leaves what was shipped as a whole and what is there whole; the rest is not copied as it was planned. Gives the segments of which
    /// nothing is to be planned.
    fn keep(
        &mut self,
        job: &JobName,
        there: &BTreeSet<i64>,
        durable: &Durable,
        writes: &mut Writes,
    ) -> BTreeSet<i64> {
        let is_durable = |unit: UnitId| durable.missing_of(unit.number).is_none();
        let shipments = &mut self.shipments;
        let mut dropped = BTreeSet::new();
        self.cargoes.retain(|cargo| {
            let mut load = shipments
                .iter()
                .filter(|shipment| shipment.cargo == cargo.number);
            // Once all of its files are there, its import may have been ordered.
            let stays = is_durable(cargo.id)
                || load.clone().all(|shipment| is_durable(shipment.id))
                || load.all(|shipment| there.contains(&shipment.segment()));
            if !stays {
                dropped.insert(cargo.number);
                writes.delete(CARGOES, &unit_key(job, cargo.id));
            }
            stays
        });
        shipments.retain_mut(|shipment| {
            let key = unit_key(job, shipment.id);
            if dropped.contains(&shipment.cargo) {
                writes.delete(SHIPMENTS, &key).delete(SHIPPED_ROWS, &key);
                return false;
            }
            if !shipment.is_replaced && !there.contains(&shipment.segment()) {
                shipment.is_replaced = true;
                writes.put(SHIPMENTS, &key, shipment);
            }
            true
        });
        let shipped: BTreeSet<i64> = shipments.iter().map(Shipment::segment).collect();
        self.units.retain(|unit| {
            let segment = &unit.files.segment;
            // By their places rows of a segment that is shipped are sent, and by runs all rows of one that is not.
            let is_planned = match unit.taken {
                Taken::Places(_) => shipped.contains(segment),
                Taken::Run(_) => true,
            };
            let stays = there.contains(segment) && is_planned;
            if !stays {
                writes.delete(SEGMENT_UNITS, &unit_key(job, unit.id));
            }
            stays
        });
        let sent = self.units.iter().map(|unit| unit.files.segment);
        shipped.into_iter().chain(sent).collect()
    }
}

impl CollectionRun<'_> {
    /// Lists the segments' files where that is due, and puts their units into the journal. Gives which rows are there, if that had to be
    /// known.
    pub(super) async fn list_segments(
        &mut self,
        durable: &Durable,
    ) -> Result<Option<Alive>, StepError> {
        let plan = &self.record.plan;
        let segments = Segments::open(self.agent, &plan.source).await?;
        let mut listing = Listing::read(self.agent, plan)?;
        let was_listed = self.record.is_listed;
        if was_listed && listing.segments().is_subset(&segments.present().await?) {
            return Ok(None);
        }
        let list = segments.list().await?;
        let there = list.iter().map(|files| files.segment).collect();
        let (number, cargo) = self.record.next_listed;
        let mut writes = Writes::new();
        let known = listing.keep(&plan.job, &there, durable, &mut writes);
        let mut units = NewUnits {
            job: &plan.job,
            collection: plan.index,
            writes,
            known,
            replaced: listing.replaced(&plan.job),
            is_again: was_listed,
            number,
            cargo,
        };
        let alive = self.plan_units(&segments, list, &mut units).await?;
        let mut writes = units.writes;
        self.record.next_listed = (units.number, units.cargo);
        self.record.is_listed = true;
        let key = collection_key(&self.record.plan.job, self.record.plan.index);
        writes.put(COLLECTIONS, &key, &self.record);
        let points = self.agent.journal.points();
        points.pass("source.segments.listed.before");
        let _ = self
            .agent
            .journal
            .commit(writes)
            .await
            .map_err(Fault::from)?;
        points.pass("source.segments.listed.after");
        tracing::info!(
            units = self.record.next_listed.0 - number,
            again = was_listed,
            "segments are listed"
        );
        Ok(alive)
    }

    async fn plan_units(
        &self,
        segments: &Segments<'_>,
        list: Vec<LogFiles>,
        units: &mut NewUnits<'_>,
    ) -> Result<Option<Alive>, StepError> {
        let batch_rows = self.batch_rows(segments, &list).await?;
        if self.record.is_shipped {
            let shipped = self.list_shipped(segments, list, batch_rows, units);
            return shipped.await.map(Some);
        }
        for files in list {
            let Some(partition) = segments.partition(files.partition) else {
                continue;
            };
            if units.known.contains(&files.segment) {
                continue;
            }
            units.runs(partition.clone(), &files, batch_rows);
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn id(number: u32) -> UnitId {
        UnitId {
            collection: CollectionIndex::new(0),
            number,
        }
    }

    fn files(segment: i64) -> LogFiles {
        LogFiles {
            segment,
            partition: 1,
            place: 0,
            rows: 10,
            paths: BTreeMap::new(),
            grouped: None,
        }
    }

    fn unit(number: u32, segment: i64, taken: Taken) -> SegmentUnit {
        SegmentUnit {
            id: id(number),
            partition: None,
            files: files(segment),
            taken,
            batch_rows: 10,
            is_again: false,
        }
    }

    fn shipment(number: u32, cargo: u32) -> Shipment {
        Shipment {
            id: id(number),
            cargo,
            logs: vec![files(i64::from(number))],
            batches: Vec::new(),
            deletes: None,
            is_replaced: false,
        }
    }

    fn cargo(unit: u32, number: u32) -> CargoRecord {
        CargoRecord {
            id: id(unit),
            number,
            partition: "p".to_owned(),
            is_grouped: false,
        }
    }

    /// Two cargoes of two segments each, which are called as their units are; and a row of each segment that is sent.
    fn shipped() -> Listing {
        Listing {
            shipments: vec![
                shipment(0, 0),
                shipment(1, 0),
                shipment(3, 1),
                shipment(4, 1),
            ],
            cargoes: vec![cargo(2, 0), cargo(5, 1)],
            units: (6..)
                .zip([0, 1, 3, 4])
                .map(|(number, segment)| unit(number, segment, Taken::Places(vec![0])))
                .collect(),
        }
    }

    fn durable(complete: &[(u32, u32)]) -> Durable {
        Durable {
            complete: complete.to_vec(),
            ..Durable::default()
        }
    }

    fn kept(listing: &mut Listing, there: &[i64], complete: &[(u32, u32)]) -> Vec<i64> {
        let there = there.iter().copied().collect();
        let mut writes = Writes::new();
        let job = "j".parse().unwrap();
        let kept = listing.keep(&job, &there, &durable(complete), &mut writes);
        kept.into_iter().collect()
    }

    fn numbers(listing: &Listing) -> (Vec<u32>, Vec<u32>, Vec<u32>) {
        let number = |id: UnitId| id.number;
        (
            listing
                .shipments
                .iter()
                .map(|shipment| number(shipment.id))
                .collect(),
            listing.cargoes.iter().map(|cargo| cargo.number).collect(),
            listing.units.iter().map(|unit| number(unit.id)).collect(),
        )
    }

    #[test]
    fn a_cargo_that_was_shipped_stays_though_its_segments_are_replaced_and_one_that_was_not_goes() {
        let mut listing = shipped();
        // Of the second cargo one segment is there whole, and the other is replaced.
        let kept = kept(&mut listing, &[1, 4], &[(0, 1), (3, 3)]);
        assert_eq!(kept, [0, 1]);
        assert_eq!(numbers(&listing), (vec![0, 1], vec![0], vec![7]));
        let replaced = listing.replaced(&"j".parse().unwrap());
        assert_eq!(replaced.units, [id(0)]);
        assert_eq!(listing.segments(), [1].into());
    }

    #[test]
    fn what_is_there_whole_stays_however_little_of_it_was_sent() {
        let mut listing = shipped();
        let kept = kept(&mut listing, &[0, 1, 3, 4, 9], &[]);
        assert_eq!(kept, [0, 1, 3, 4]);
        assert_eq!(numbers(&listing), numbers(&shipped()));
    }

    #[test]
    fn of_segments_whose_rows_are_read_those_that_are_there_stay() {
        let run = |number, segment| unit(number, segment, Taken::Run(0..10));
        let mut listing = Listing {
            units: vec![run(0, 100), run(1, 101), run(2, 102)],
            shipments: Vec::new(),
            cargoes: Vec::new(),
        };
        let kept = kept(&mut listing, &[101, 102, 103], &[(0, 1)]);
        assert_eq!(kept, [101, 102]);
        assert_eq!(numbers(&listing).2, [1, 2]);
    }
    #[test]
    fn rows_of_a_segment_that_is_not_shipped_stay_beside_those_that_are() {
        let mut listing = shipped();
        let run = |number, segment| unit(number, segment, Taken::Run(0..10));
        listing.units.extend([run(10, 200), run(11, 201)]);
        let kept = kept(&mut listing, &[0, 1, 3, 4, 200], &[]);
        assert_eq!(kept, [0, 1, 3, 4, 200]);
        assert_eq!(numbers(&listing).2, [6, 7, 8, 9, 10]);
        assert_eq!(listing.segments(), [0, 1, 3, 4, 200].into());
    }
}
