//! What a job is asked to do.

use super::{Malformed, Wire, all, each, required, wire_enum};
use model::job::{
    AutoId, CopyBy, Cutover, CutoverOptions, Fence, Indexes, Load, Mode, OnConflict, Unloaded,
    Verify,
};
use model::selection::{Pattern, Rename};
use model::{JobSpec, Selection};
use proto::admin;

wire_enum!(Mode, admin::Mode, "mode", unspecified = Copy; Copy, Live);
wire_enum!(OnConflict, admin::OnConflict, "on_conflict", unspecified = Fail; Fail, Skip, Replace, Append);
wire_enum!(AutoId, admin::AutoId, "auto_id", unspecified = Preserve; Preserve, Regenerate);
wire_enum!(Indexes, admin::Indexes, "indexes", unspecified = Keep; Keep, Auto, None);
wire_enum!(Load, admin::Load, "load", unspecified = Keep; Keep, Yes, No);
wire_enum!(Verify, admin::Verify, "verify", unspecified = Content; Content, Counts, None);
wire_enum!(Fence, admin::Fence, "fence", unspecified = Operator; Operator, DenyWrites);
wire_enum!(CopyBy, admin::CopyBy, "copy", unspecified = Auto; Auto, Rows, Segments);
wire_enum!(Unloaded, admin::Unloaded, "unloaded", unspecified = Refuse; Refuse, Load);

impl Wire for Rename {
    type Message = admin::Rename;

    fn to_wire(&self) -> Self::Message {
        admin::Rename {
            from: self.from.to_string(),
            to: self.to.to_string(),
        }
    }

    fn from_wire(message: Self::Message) -> Result<Self, Malformed> {
        Ok(Self {
            from: Pattern::from(message.from),
            to: Pattern::from(message.to),
        })
    }
}

impl Wire for Selection {
    type Message = admin::Selection;

    fn to_wire(&self) -> Self::Message {
        let texts = |patterns: &[Pattern]| patterns.iter().map(Pattern::to_string).collect();
        admin::Selection {
            include: texts(&self.include),
            exclude: texts(&self.exclude),
            rename: all(&self.rename),
        }
    }

    fn from_wire(message: Self::Message) -> Result<Self, Malformed> {
        let patterns = |texts: Vec<String>| texts.into_iter().map(Pattern::from).collect();
        Ok(Self {
            include: patterns(message.include),
            exclude: patterns(message.exclude),
            rename: each(message.rename)?,
        })
    }
}

impl Wire for JobSpec {
    type Message = admin::JobSpec;

    fn to_wire(&self) -> Self::Message {
        admin::JobSpec {
            name: self.name.to_string(),
            selection: Some(self.selection.to_wire()),
            mode: self.mode.to_wire(),
            copy: self.copy.to_wire(),
            on_conflict: self.on_conflict.to_wire(),
            auto_id: self.auto_id.to_wire(),
            indexes: self.indexes.to_wire(),
            load: self.load.to_wire(),
            verify: self.verify.to_wire(),
            unloaded: self.unloaded.to_wire(),
            cutover: Some(self.cutover.to_wire()),
            dry_run: self.dry_run,
        }
    }

    fn from_wire(message: Self::Message) -> Result<Self, Malformed> {
        Ok(Self {
            name: message.name.parse()?,
            selection: required("selection", message.selection)?,
            mode: Wire::from_wire(message.mode)?,
            copy: Wire::from_wire(message.copy)?,
            on_conflict: Wire::from_wire(message.on_conflict)?,
            auto_id: Wire::from_wire(message.auto_id)?,
            indexes: Wire::from_wire(message.indexes)?,
            load: Wire::from_wire(message.load)?,
            verify: Wire::from_wire(message.verify)?,
            unloaded: Wire::from_wire(message.unloaded)?,
            cutover: Wire::from_wire(message.cutover.unwrap_or_default())?,
            dry_run: message.dry_run,
        })
    }
}

impl Wire for Cutover {
    type Message = admin::Cutover;

    fn to_wire(&self) -> Self::Message {
        admin::Cutover {
            max_lag_ms: Some(self.max_lag_ms),
            timeout_ms: Some(self.timeout_ms),
            fence: self.fence.to_wire(),
        }
    }

    fn from_wire(message: Self::Message) -> Result<Self, Malformed> {
        let usual = Self::default();
        Ok(Self {
            max_lag_ms: message.max_lag_ms.unwrap_or(usual.max_lag_ms),
            timeout_ms: message.timeout_ms.unwrap_or(usual.timeout_ms),
            fence: Wire::from_wire(message.fence)?,
        })
    }
}

impl Wire for CutoverOptions {
    type Message = admin::CutoverOptions;

    fn to_wire(&self) -> Self::Message {
        admin::CutoverOptions {
            max_lag_ms: self.max_lag_ms,
            timeout_ms: self.timeout_ms,
            dry_run: self.dry_run,
        }
    }

    fn from_wire(message: Self::Message) -> Result<Self, Malformed> {
        Ok(Self {
            max_lag_ms: message.max_lag_ms,
            timeout_ms: message.timeout_ms,
            dry_run: message.dry_run,
        })
    }
}
