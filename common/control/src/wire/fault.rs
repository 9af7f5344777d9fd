//! A fault as the failure of a call: a gRPC status whose details hold the fault.
//!
//! The details have the form that gRPC's tools know (`google.rpc.Status`, with the fault as its only `Any`), so that other
//! clients can read them with nothing but the API's descriptors.

use super::Wire;
use model::{Class, Fault, codes};
use prost::Message;
use proto::admin;
use tonic::{Code, Status};

const FAULT_TYPE_URL: &str = "type.googleapis.com/passage.admin.v1.Fault";

/// The parts of `google.rpc.Status`.
#[derive(Clone, PartialEq, Message)]
struct Details {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<prost_types::Any>,
}

/// The fault as a call's failure.
pub(crate) fn status_of(fault: &Fault) -> Status {
    let code = grpc_code(fault);
    let value = fault.to_wire().encode_to_vec();
    let detail = prost_types::Any {
        type_url: FAULT_TYPE_URL.to_owned(),
        value,
    };
    let details = Details {
        code: code.into(),
        message: fault.message.clone(),
        details: vec![detail],
    };
    Status::with_details(code, fault.message.clone(), details.encode_to_vec().into())
}

/// The fault that a failed call tells; one of our own making where the agent did not get to speak.
pub(crate) fn fault_of(status: &Status) -> Fault {
    if let Some(fault) = told_fault(status) {
        return fault;
    }
    // A status that was made on this side of the connection knows the error that it was made of.
    if let Some(cause) = std::error::Error::source(status) {
        return unreachable_agent(&cause.to_string());
    }
    match status.code() {
        Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled => {
            unreachable_agent(status.message())
        }
        Code::PermissionDenied | Code::Unauthenticated => {
            let hint = "use a client certificate that the agent's admin.tls names";
            Fault::new(
                codes::PEER_NOT_ALLOWED,
                Class::Operator,
                status.message(),
                hint,
            )
        }
        code => {
            let message = format!("the agent answered {code:?}: {}", status.message());
            let hint = "use the command of the same version as the agent";
            Fault::new(codes::PROTOCOL_VIOLATION, Class::Permanent, message, hint)
        }
    }
}

/// The fault of an agent that does not answer.
pub(crate) fn unreachable_agent(cause: &str) -> Fault {
    let hint = "start the agent with `serve`, and name its admin address with --admin or --config";
    let message = format!("the agent can't be reached: {cause}");
    Fault::new(codes::AGENT_UNREACHABLE, Class::Operator, message, hint)
}

fn told_fault(status: &Status) -> Option<Fault> {
    let details = Details::decode(status.details()).ok()?;
    let detail = details
        .details
        .into_iter()
        .find(|detail| detail.type_url == FAULT_TYPE_URL)?;
    Fault::from_wire(admin::Fault::decode(detail.value.as_slice()).ok()?).ok()
}

/// The gRPC code that tells a program as much as gRPC's codes can.
fn grpc_code(fault: &Fault) -> Code {
    match fault.code.as_str() {
        codes::JOB_NOT_FOUND | codes::DATABASE_NOT_FOUND | codes::COLLECTION_NOT_FOUND => {
            Code::NotFound
        }
        codes::JOB_EXISTS | codes::NAME_TAKEN => Code::AlreadyExists,
        codes::CONFIG_INVALID | codes::SELECTION_EMPTY | codes::NAME_CLASH => Code::InvalidArgument,
        codes::SCOPE_DENIED | codes::MILVUS_DENIED => Code::PermissionDenied,
        codes::DISK_FULL => Code::ResourceExhausted,
        codes::JOURNAL_CORRUPT => Code::DataLoss,
        _ => match fault.class {
            Class::Transient => Code::Unavailable,
            Class::Operator | Class::Permanent => Code::FailedPrecondition,
            Class::Bug => Code::Internal,
        },
    }
}
