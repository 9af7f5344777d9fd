//! The frames of the control lane.

use super::{Malformed, at_most, missing, read_name};
use bytes::Bytes;
use model::{Class, Fault, Incarnation};
use proto::agent as written;
use protocol::call::CallId;
use protocol::handshake::Version;
use protocol::{Frame, Hello, Role};
use written::reply::Outcome;

/// The longest text that a peer may have an operator read.
pub(super) const MAX_TEXT_BYTES: u64 = 8 << 10;

pub(super) fn write_hello(hello: Hello) -> written::Hello {
    let role = match hello.role {
        Role::Source => written::Role::Source,
        Role::Target => written::Role::Target,
    };
    written::Hello {
        major: hello.version.major,
        minor: hello.version.minor,
        role: role.into(),
        agent: hello.agent.into(),
        software: hello.software,
        incarnation: Bytes::copy_from_slice(&hello.incarnation.number().to_be_bytes()),
        data_lanes: hello.data_lanes,
    }
}

pub(super) fn read_hello(hello: written::Hello) -> Result<Hello, Malformed> {
    let role = match hello.role() {
        written::Role::Source => Role::Source,
        written::Role::Target => Role::Target,
        written::Role::Unspecified => return Err(missing("hello", "role")),
    };
    at_most(
        "hello",
        "software's length",
        hello.software.len() as u64,
        MAX_TEXT_BYTES,
    )?;
    let incarnation = hello
        .incarnation
        .as_ref()
        .try_into()
        .map_err(|_| missing("hello", "incarnation"))?;
    Ok(Hello {
        version: Version {
            major: hello.major,
            minor: hello.minor,
        },
        role,
        agent: read_name("hello", &hello.agent)?,
        software: hello.software,
        incarnation: Incarnation::new(u128::from_be_bytes(incarnation)),
        data_lanes: hello.data_lanes,
    })
}

pub(super) fn write_fault(fault: Fault) -> written::Fault {
    let class = match fault.class {
        Class::Transient => written::Class::Transient,
        Class::Operator => written::Class::Operator,
        Class::Permanent => written::Class::Permanent,
        Class::Bug => written::Class::Bug,
    };
    written::Fault {
        code: shortened(fault.code),
        class: class.into(),
        message: shortened(fault.message),
        hint: shortened(fault.hint),
    }
}

/// A text that the peer will read: what is too long is cut, since the fault matters more than its end.
fn shortened(mut text: String) -> String {
    let most = MAX_TEXT_BYTES as usize;
    if text.len() > most {
        let end = (0..=most - 3)
            .rev()
            .find(|end| text.is_char_boundary(*end))
            .unwrap_or(0);
        text.truncate(end);
        text.push_str("...");
    }
    text
}

pub(super) fn read_fault(fault: written::Fault) -> Result<Fault, Malformed> {
    let class = match fault.class() {
        written::Class::Transient => Class::Transient,
        written::Class::Operator => Class::Operator,
        written::Class::Permanent => Class::Permanent,
        written::Class::Bug => Class::Bug,
        written::Class::Unspecified => return Err(missing("fault", "class")),
    };
    for text in [&fault.code, &fault.message, &fault.hint] {
        at_most(
            "fault",
            "a text's length",
            text.len() as u64,
            MAX_TEXT_BYTES,
        )?;
    }
    Ok(Fault {
        code: fault.code,
        class,
        message: fault.message,
        hint: fault.hint,
    })
}

pub(super) fn write_reply(id: CallId, body: Result<Bytes, Fault>) -> written::Reply {
    let outcome = match body {
        Ok(body) => Outcome::Body(body),
        Err(fault) => Outcome::Fault(write_fault(fault)),
    };
    written::Reply {
        id,
        outcome: Some(outcome),
    }
}

pub(super) fn read_reply(reply: written::Reply) -> Result<Frame, Malformed> {
    let body = match reply.outcome.ok_or(missing("reply", "outcome"))? {
        Outcome::Body(body) => Ok(body),
        Outcome::Fault(fault) => Err(read_fault(fault)?),
    };
    Ok(Frame::Reply { id: reply.id, body })
}
