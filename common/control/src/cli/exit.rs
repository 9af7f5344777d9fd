//! What the command's exit code says. Documented in `--help`; scripts rely on it.

use model::{Fault, JobStatus, Phase, Severity, Verification, VerifyReport, codes};
use std::process::ExitCode;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done; what was verified is equal.
    Done = 0,
    /// The command line is wrong, or something failed that no other code names.
    Error = 1,
    /// Configuration, job file or request were refused.
    Refused = 2,
    /// Source and target differ.
    Differs = 3,
    /// The job failed, or could not be verified.
    Failed = 4,
    /// The job was cancelled.
    Cancelled = 5,
    /// The agent can't be reached.
    Unreachable = 6,
}

/// The table of exit codes, for `--help`.
pub(crate) const HELP: &str = "\
Exit codes:
  0  done; where a job was verified, source and target are equal
  1  wrong usage, or another error
  2  configuration, job file or request refused
  3  verification found differences
  4  the job failed, or could not be verified
  5  the job was cancelled
  6  the agent can't be reached";

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

impl Exit {
    /// Of a command that a fault ended.
    pub(crate) fn of_fault(fault: &Fault) -> Self {
        match fault.code.as_str() {
            codes::AGENT_UNREACHABLE => Self::Unreachable,
            codes::VERIFY_MISMATCH => Self::Differs,
            codes::JOB_CANCELLED => Self::Cancelled,
            codes::CONFIG_INVALID
            | codes::CERTIFICATE_INVALID
            | codes::CERTIFICATE_EXPIRED
            | codes::JOB_EXISTS
            | codes::JOB_NOT_FOUND
            | codes::JOB_PHASE
            | codes::SCOPE_DENIED
            | codes::SELECTION_EMPTY
            | codes::NAME_CLASH => Self::Refused,
            _ => Self::Error,
        }
    }

    /// Of a command that waited for a job's end.
    pub(crate) fn of_job(status: &JobStatus) -> Self {
        let verifications = || {
            status
                .collections
                .iter()
                .map(|collection| &collection.verification)
        };
        let mismatched = verifications().any(|v| matches!(v, Verification::Mismatched { .. }));
        let blocked = verifications().any(|v| matches!(v, Verification::Blocked { .. }));
        let cause = status
            .cause
            .as_ref()
            .map_or("", |cause| cause.code.as_str());
        match status.phase {
            Phase::Cancelled => Self::Cancelled,
            _ if mismatched || cause == codes::VERIFY_MISMATCH => Self::Differs,
            Phase::Failed => Self::Failed,
            _ if blocked || refused_by_preflight(status) => Self::Failed,
            _ => Self::Done,
        }
    }

    /// Of a command that showed a report.
    pub(crate) fn of_report(report: &VerifyReport) -> Self {
        let outcomes = || {
            report
                .collections
                .iter()
                .map(|collection| &collection.outcome)
        };
        if outcomes().any(|outcome| matches!(outcome, Verification::Mismatched { .. })) {
            Self::Differs
        } else if outcomes().any(|outcome| matches!(outcome, Verification::Blocked { .. })) {
            Self::Failed
        } else {
            Self::Done
        }
    }
}

/// Whether preflight found what can't be carried: a dry run ends so without having failed.
fn refused_by_preflight(status: &JobStatus) -> bool {
    status
        .findings
        .iter()
        .any(|finding| finding.severity == Severity::Blocked)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;
    use model::Class;

    #[test]
    fn a_mismatch_outweighs_the_phase_that_the_job_ended_in() {
        for phase in [Phase::Completed, Phase::Failed] {
            let mut status = sample::status(phase);
            status.collections[0].verification = Verification::Mismatched { differences: 1 };
            assert_eq!(Exit::of_job(&status), Exit::Differs);
        }
    }

    #[test]
    fn a_job_that_could_not_be_verified_is_not_done() {
        let mut status = sample::status(Phase::Completed);
        assert_eq!(Exit::of_job(&status), Exit::Done);
        status.collections[0].verification = Verification::Blocked {
            reason: "not loaded".into(),
        };
        assert_eq!(Exit::of_job(&status), Exit::Failed);
    }

    #[test]
    fn a_dry_run_that_found_a_hindrance_is_not_done() {
        let mut status = sample::status(Phase::Completed);
        status.findings = vec![sample::finding(Severity::Blocked)];
        assert_eq!(Exit::of_job(&status), Exit::Failed);
    }

    #[test]
    fn each_end_has_its_own_code() {
        assert_eq!(
            Exit::of_job(&sample::status(Phase::Cancelled)),
            Exit::Cancelled
        );
        assert_eq!(Exit::of_job(&sample::status(Phase::Failed)), Exit::Failed);
        let gone = Fault::new(codes::AGENT_UNREACHABLE, Class::Operator, "", "");
        assert_eq!(Exit::of_fault(&gone), Exit::Unreachable);
        assert_eq!(
            Exit::of_fault(&Fault::new(codes::BUG, Class::Bug, "", "")),
            Exit::Error
        );
    }
}
