//! The file that describes a job.

use super::error::{ConfigError, ConfigFault};
use super::section::{Reading, Section};
use super::sections::pattern;
use super::{values, yaml};
use model::job::{
    AutoId, CopyBy, Cutover, Fence, Indexes, Load, Mode, OnConflict, Unloaded, Verify,
};
use model::selection::Rename;
use model::{JobName, JobSpec, Selection};
use std::path::Path;

/// Reads and checks the job in a file.
///
/// # Errors
/// Every fault of the file at once; or that it can't be read.
pub fn load(file: &Path) -> Result<JobSpec, ConfigError> {
    let name = file.display().to_string();
    let text = std::fs::read_to_string(file).map_err(|error| {
        ConfigError::new(
            &name,
            vec![ConfigFault::of_file(format!("can't be read: {error}"))],
        )
    })?;
    parse(&name, &text)
}

/// Checks the job in a text; `file` is what it is called in faults.
///
/// # Errors
/// Every fault at once.
pub fn parse(file: &str, text: &str) -> Result<JobSpec, ConfigError> {
    let mut reading = Reading::default();
    let tree = yaml::parse(text, &mut reading.faults);
    let spec = tree.and_then(|tree| Section::root(&mut reading, &tree, read));
    match spec {
        Some(spec) if reading.faults.is_empty() => Ok(spec),
        _ => Err(ConfigError::new(file, reading.faults)),
    }
}

fn read(root: &mut Section<'_>) -> Option<JobSpec> {
    let name = root.required("name", |text| {
        text.parse::<JobName>().map_err(|error| error.to_string())
    });
    let selection = selection(root);
    let mode = root.or(
        "mode",
        "copy",
        values::choice([("copy", Mode::Copy), ("live", Mode::Live)]),
    );
    let copy = root.or(
        "copy",
        "auto",
        values::choice([
            ("auto", CopyBy::Auto),
            ("rows", CopyBy::Rows),
            ("segments", CopyBy::Segments),
        ]),
    );
    let on_conflict = root.or(
        "on_conflict",
        "fail",
        values::choice([
            ("fail", OnConflict::Fail),
            ("skip", OnConflict::Skip),
            ("replace", OnConflict::Replace),
            ("append", OnConflict::Append),
        ]),
    );
    let auto_id = root.or(
        "auto_id",
        "preserve",
        values::choice([
            ("preserve", AutoId::Preserve),
            ("regenerate", AutoId::Regenerate),
        ]),
    );
    let indexes = root.or(
        "indexes",
        "keep",
        values::choice([
            ("keep", Indexes::Keep),
            ("auto", Indexes::Auto),
            ("none", Indexes::None),
        ]),
    );
    let load = root.or(
        "load",
        "keep",
        values::choice([("keep", Load::Keep), ("yes", Load::Yes), ("no", Load::No)]),
    );
    let verify = root.or(
        "verify",
        "content",
        values::choice([
            ("content", Verify::Content),
            ("counts", Verify::Counts),
            ("none", Verify::None),
        ]),
    );
    let unloaded = root.or(
        "unloaded",
        "refuse",
        values::choice([("refuse", Unloaded::Refuse), ("load", Unloaded::Load)]),
    );
    if mode == Some(Mode::Copy) && root.has_section("cutover") {
        root.refuse(
            "cutover",
            "is of a job with `mode: live`: a copy ends by itself",
        );
    }
    let cutover = root.within("cutover", cutover);
    let dry_run = root.or("dry_run", "false", values::truth);
    Some(JobSpec {
        name: name?,
        selection: selection?,
        mode: mode?,
        copy: copy?,
        on_conflict: on_conflict?,
        auto_id: auto_id?,
        indexes: indexes?,
        load: load?,
        verify: verify?,
        unloaded: unloaded?,
        cutover: cutover?,
        dry_run: dry_run?,
    })
}

fn cutover(section: &mut Section<'_>) -> Option<Cutover> {
    let millis = |text: &str| {
        let time = values::duration(text)?;
        u64::try_from(time.as_millis()).map_err(|_| "is too long".to_owned())
    };
    let max_lag_ms = section.or("max_lag", "1s", millis);
    let timeout_ms = section.or("timeout", "30s", millis);
    let fence = section.or(
        "fence",
        "operator",
        values::choice([
            ("operator", Fence::Operator),
            ("deny_writes", Fence::DenyWrites),
        ]),
    );
    Some(Cutover {
        max_lag_ms: max_lag_ms?,
        timeout_ms: timeout_ms?,
        fence: fence?,
    })
}

fn selection(root: &mut Section<'_>) -> Option<Selection> {
    let include = root.list("collections", pattern);
    if include.as_ref().is_none_or(Vec::is_empty) {
        root.refuse(
            "collections",
            r#"must name at least one collection, such as ["sales.*", "docs"]"#,
        );
    }
    let exclude = root.list("exclude", pattern).unwrap_or_default();
    let pairs = root.pairs("rename");
    let rename = pairs
        .into_iter()
        .filter_map(|(line, from, to)| rename(root, line, &from, &to))
        .collect();
    Some(Selection {
        include: include?,
        exclude,
        rename,
    })
}

fn rename(root: &mut Section<'_>, line: usize, from: &str, to: &str) -> Option<Rename> {
    let stars = |text: &str| text.matches('*').count();
    let rule = match (pattern(from), pattern(to)) {
        (Ok(_), Ok(_)) if stars(to) > stars(from) => {
            Err(format!("{to:?} has more stars than {from:?}"))
        }
        (Ok(from), Ok(to)) => Ok(Rename { from, to }),
        (Err(cause), _) | (_, Err(cause)) => Err(cause),
    };
    rule.map_err(|cause| root.refuse_at(line, "rename", cause))
        .ok()
}

#[cfg(test)]
mod tests;
