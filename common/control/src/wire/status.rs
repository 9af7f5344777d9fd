//! How far a job is.

use super::{Malformed, Wire, all, each, required, wire_enum};
use model::{
    ChangesStatus, Class, CollectionPhase, CollectionStatus, Fault, Finding, JobStatus, Phase,
    Severity, Verification,
};
use proto::admin;

wire_enum!(Phase, admin::Phase, "phase";
    Pending, Preparing, Copying, Finishing, CatchingUp, Syncing, CuttingOver, Verifying, Completed, Failed, Cancelled);
wire_enum!(CollectionPhase, admin::CollectionPhase, "collection phase";
    Waiting, Copying, Finishing, Following, Verifying, Done, Skipped, Dropped);
wire_enum!(Class, admin::FaultClass, "class"; Transient, Operator, Permanent, Bug);
wire_enum!(Severity, admin::Severity, "severity"; Note, Changed, Blocked);

impl Wire for Fault {
    type Message = admin::Fault;

    fn to_wire(&self) -> Self::Message {
        admin::Fault {
            code: self.code.clone(),
            class: self.class.to_wire(),
            message: self.message.clone(),
            hint: self.hint.clone(),
        }
    }

    fn from_wire(message: Self::Message) -> Result<Self, Malformed> {
        Ok(Self {
            code: message.code,
            class: Wire::from_wire(message.class)?,
            message: message.message,
            hint: message.hint,
        })
    }
}

impl Wire for Finding {
    type Message = admin::Finding;

    fn to_wire(&self) -> Self::Message {
        admin::Finding {
            severity: self.severity.to_wire(),
            code: self.code.clone(),
            subject: self.subject.clone(),
            text: self.text.clone(),
        }
    }

    fn from_wire(message: Self::Message) -> Result<Self, Malformed> {
        Ok(Self {
            severity: Wire::from_wire(message.severity)?,
            code: message.code,
            subject: message.subject,
            text: message.text,
        })
    }
}

impl Wire for Verification {
    type Message = admin::Verification;

    fn to_wire(&self) -> Self::Message {
        use admin::VerificationState as State;
        let state = match self {
            Self::NotRun => State::NotRun,
            Self::Running => State::Running,
            Self::Rechecking { .. } => State::Rechecking,
            Self::Clean => State::Clean,
            Self::Mismatched { .. } => State::Mismatched,
            Self::Blocked { .. } => State::Blocked,
        };
        let mut message = admin::Verification {
            state: state.into(),
            ..Default::default()
        };
        match self {
            Self::Rechecking { rows } => message.rows = *rows,
            Self::Mismatched { differences } => message.differences = *differences,
            Self::Blocked { reason } => message.reason.clone_from(reason),
            _ => {}
        }
        message
    }

    fn from_wire(message: Self::Message) -> Result<Self, Malformed> {
        use admin::VerificationState as State;
        match message.state() {
            State::NotRun => Ok(Self::NotRun),
            State::Running => Ok(Self::Running),
            State::Rechecking => Ok(Self::Rechecking { rows: message.rows }),
            State::Clean => Ok(Self::Clean),
            State::Mismatched => Ok(Self::Mismatched {
                differences: message.differences,
            }),
            State::Blocked => Ok(Self::Blocked {
                reason: message.reason,
            }),
            State::Unspecified => Err(Malformed::Unknown("verification", message.state)),
        }
    }
}

impl Wire for CollectionStatus {
    type Message = admin::CollectionStatus;

    fn to_wire(&self) -> Self::Message {
        admin::CollectionStatus {
            source: Some(self.source.to_wire()),
            target: Some(self.target.to_wire()),
            phase: self.phase.to_wire(),
            rows_copied: self.rows_copied,
            rows_total: self.rows_total,
            bytes_copied: self.bytes_copied,
            rows_verified: self.rows_verified,
            verification: Some(self.verification.to_wire()),
            changes: self.changes.as_ref().map(Wire::to_wire),
        }
    }

    fn from_wire(message: Self::Message) -> Result<Self, Malformed> {
        Ok(Self {
            source: required("source", message.source)?,
            target: required("target", message.target)?,
            phase: Wire::from_wire(message.phase)?,
            rows_copied: message.rows_copied,
            rows_total: message.rows_total,
            bytes_copied: message.bytes_copied,
            rows_verified: message.rows_verified,
            verification: required("verification", message.verification)?,
            changes: message.changes.map(Wire::from_wire).transpose()?,
        })
    }
}

impl Wire for ChangesStatus {
    type Message = admin::ChangesStatus;

    fn to_wire(&self) -> Self::Message {
        admin::ChangesStatus {
            lag_ms: self.lag_ms,
            upserts: self.upserts,
            deletes: self.deletes,
            unproven: self.unproven,
            repaired: self.repaired,
            gaps: self.gaps,
            headroom_ms: self.headroom_ms,
        }
    }

    fn from_wire(message: Self::Message) -> Result<Self, Malformed> {
        Ok(Self {
            lag_ms: message.lag_ms,
            upserts: message.upserts,
            deletes: message.deletes,
            unproven: message.unproven,
            repaired: message.repaired,
            gaps: message.gaps,
            headroom_ms: message.headroom_ms,
        })
    }
}

/// Without its report, which travels by itself.
impl Wire for JobStatus {
    type Message = admin::JobStatus;

    fn to_wire(&self) -> Self::Message {
        admin::JobStatus {
            spec: Some(self.spec.to_wire()),
            phase: self.phase.to_wire(),
            cause: self.cause.as_ref().map(Wire::to_wire),
            created_ms: self.created_ms,
            ended_ms: self.ended_ms,
            findings: all(&self.findings),
            collections: all(&self.collections),
        }
    }

    fn from_wire(message: Self::Message) -> Result<Self, Malformed> {
        Ok(Self {
            spec: required("spec", message.spec)?,
            phase: Wire::from_wire(message.phase)?,
            cause: message.cause.map(Wire::from_wire).transpose()?,
            created_ms: message.created_ms,
            ended_ms: message.ended_ms,
            findings: each(message.findings)?,
            collections: each(message.collections)?,
            report: None,
        })
    }
}
