//! A lane as a stream of frames.

use super::service::Incoming;
use crate::error::LaneError;
use crate::link::{LaneRx, LaneTx, QUEUE_FRAMES};
use futures::stream::{Stream, StreamExt};
use protocol::Frame;
use protocol::frame::MAX_FRAME_BYTES;
use std::error::Error;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status};

/// The way out: what is sent, and the stream that carries it.
pub(super) fn outgoing() -> (LaneTx, impl Stream<Item = Frame> + Send + 'static) {
    let (tx, frames) = mpsc::channel(QUEUE_FRAMES);
    (LaneTx::new(tx), ReceiverStream::new(frames))
}

/// The way in. `kept` lives as long as the lane.
pub(super) fn incoming(stream: Incoming, kept: impl Send + 'static) -> LaneRx {
    let read = move |arrived: Result<Result<Frame, LaneError>, Status>| {
        let _ = &kept;
        arrived.unwrap_or_else(|status| Err(lane_error(&status)))
    };
    LaneRx::new(stream.map(read).boxed())
}

/// What a failed read means. tonic tells a message that it can't take from a lost connection only by code and text.
pub(super) fn lane_error(status: &Status) -> LaneError {
    let message = status.message();
    match status.code() {
        Code::OutOfRange if message.contains("length too large") => {
            LaneError::Violation(format!("a frame is larger than {MAX_FRAME_BYTES} bytes"))
        }
        Code::Internal if message.contains("compression flag") => {
            LaneError::Violation(format!("what came is not a frame: {message}"))
        }
        _ => LaneError::Lost(lost(status)),
    }
}

/// A status without the words that tonic puts around it.
fn lost(status: &Status) -> String {
    let cause = status.source().map(causes).unwrap_or_default();
    match (status.message(), cause.as_str()) {
        ("", "") => status.code().to_string(),
        ("", cause) => cause.to_owned(),
        (message, cause)
            if cause.is_empty() || cause.contains(message) || message.contains(cause) =>
        {
            if cause.len() > message.len() {
                cause.to_owned()
            } else {
                message.to_owned()
            }
        }
        (message, cause) => format!("{message}: {cause}"),
    }
}

/// An error with what led to it, on one line.
pub(super) fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let cause = error.to_string();
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
        source = error.source();
    }
    text
}
