//! A lane as a stream: its first bytes, and the frames behind them.

use super::FAREWELL_LIMIT;
use super::trouble::{self, ABANDONED};
use crate::error::LaneError;
use crate::link::{Lane, LaneRx, LaneTx, QUEUE_FRAMES};
use crate::listening::{LaneAt, SessionId};
use crate::wire;
use bytes::{BufMut, Bytes, BytesMut};
use futures::stream::{self, Stream, StreamExt};
use prost::Message;
use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint, key_len};
use protocol::Frame;
use protocol::frame::MAX_FRAME_BYTES;
use quinn::{ReadError, ReadExactError, RecvStream, SendStream, WriteError};
use std::io;
use tokio::io::AsyncReadExt;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// The session's id and the lane's number.
const HEAD_BYTES: usize = 16 + 4;

/// The length in front of a frame.
const LENGTH_BYTES: usize = 4;

/// The fields of a frame that holds a piece, by their numbers in link.proto.
const PIECE_FIELD: u32 = 8;
const PARTS_FIELD: u32 = 1;

/// Writes a stream's first bytes.
pub(super) async fn write_head(send: &mut SendStream, at: LaneAt) -> Result<(), WriteError> {
    let mut head = BytesMut::with_capacity(HEAD_BYTES);
    head.put_slice(&at.session.0);
    head.put_u32(at.number);
    send.write_chunk(head.freeze()).await
}

/// Reads them; an error is what else they were.
pub(super) async fn read_head(recv: &mut RecvStream) -> Result<LaneAt, LaneError> {
    let (mut session, mut number) = ([0; 16], [0; 4]);
    let broken = |error| match error {
        ReadExactError::FinishedEarly(_) => {
            LaneError::Violation("a stream ended before it said which lane it is".into())
        }
        ReadExactError::ReadError(error) => trouble::lane_error(&error),
    };
    recv.read_exact(&mut session).await.map_err(broken)?;
    recv.read_exact(&mut number).await.map_err(broken)?;
    Ok(LaneAt {
        session: SessionId(session),
        number: u32::from_be_bytes(number),
    })
}

/// The lane on a stream of which the first bytes are through. It keeps the stream's connection.
pub(super) fn lane(send: SendStream, recv: RecvStream) -> Lane {
    let (frames, to_send) = mpsc::channel(QUEUE_FRAMES);
    let (tx, left) = LaneTx::watched(frames);
    tokio::spawn(carry_out(send, to_send, left));
    Lane {
        tx,
        rx: LaneRx::new(incoming(recv).boxed()),
    }
}

/// Sends frames until the lane's user has left or the peer takes no more; `left` is cancelled when the user leaves.
async fn carry_out(
    mut send: SendStream,
    mut to_send: mpsc::Receiver<Frame>,
    left: CancellationToken,
) {
    // Acknowledged to the end, stopped, or lost.
    let over = send.stopped();
    let sending = async {
        while let Some(frame) = to_send.recv().await {
            if send.write_all_chunks(&mut chunks(frame)).await.is_err() {
                return;
            }
        }
        // Stopped already: then there is nobody to finish for.
        send.finish().ok();
        std::future::pending().await
    };
    tokio::select! {
        () = sending => {}
        _ = over => {}
        () = late(left) => {}
    }
    // What is dropped would look as if it had been sent to its end. One that was is not changed by this.
    send.reset(ABANDONED).ok();
}

async fn late(left: CancellationToken) {
    left.cancelled().await;
    tokio::time::sleep(FAREWELL_LIMIT).await;
}

/// A frame as it is sent, its length in front. The parts of a piece, which are nearly all of what is ever sent, are not copied.
fn chunks(frame: Frame) -> Vec<Bytes> {
    match frame {
        Frame::Piece(piece) => piece_chunks(piece.parts),
        frame => {
            let frame = wire::write(frame);
            let length = frame.encoded_len();
            let mut bytes = BytesMut::with_capacity(LENGTH_BYTES + length);
            bytes.put_u32(written_length(length));
            // BytesMut grows: there is always room.
            frame.encode(&mut bytes).ok();
            vec![bytes.freeze()]
        }
    }
}

fn piece_chunks(parts: Vec<Bytes>) -> Vec<Bytes> {
    let part_head = |part: &Bytes| key_len(PARTS_FIELD) + encoded_len_varint(part.len() as u64);
    let piece: usize = parts.iter().map(|part| part_head(part) + part.len()).sum();
    let head = key_len(PIECE_FIELD) + encoded_len_varint(piece as u64);
    let heads = LENGTH_BYTES + head + parts.iter().map(part_head).sum::<usize>();
    let mut written = BytesMut::with_capacity(heads);
    let mut chunks = Vec::with_capacity(2 * parts.len() + 1);
    written.put_u32(written_length(head + piece));
    encode_key(PIECE_FIELD, WireType::LengthDelimited, &mut written);
    encode_varint(piece as u64, &mut written);
    for part in parts {
        encode_key(PARTS_FIELD, WireType::LengthDelimited, &mut written);
        encode_varint(part.len() as u64, &mut written);
        chunks.push(written.split().freeze());
        if !part.is_empty() {
            chunks.push(part);
        }
    }
    if !written.is_empty() {
        chunks.push(written.freeze());
    }
    chunks
}

/// A frame that does not fit is refused by its reader.
fn written_length(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// The frames of a stream; nothing comes after its end or an error.
fn incoming(recv: RecvStream) -> impl Stream<Item = Result<Frame, LaneError>> + Send {
    stream::unfold(Some(recv), async |recv| {
        let mut recv = recv?;
        match read_frame(&mut recv).await {
            Ok(Some(frame)) => Some((Ok(frame), Some(recv))),
            Ok(None) => None,
            Err(error) => Some((Err(error), None)),
        }
    })
}

async fn read_frame(recv: &mut RecvStream) -> Result<Option<Frame>, LaneError> {
    let Some(mut length) = read(recv, LENGTH_BYTES).await? else {
        return Ok(None);
    };
    let length = bytes::Buf::get_u32(&mut length) as usize;
    if length > MAX_FRAME_BYTES {
        let large = format!("a frame is larger than {MAX_FRAME_BYTES} bytes");
        return Err(LaneError::Violation(large));
    }
    let frame = read(recv, length).await?.ok_or_else(broken_off)?;
    wire::decode(frame).map(Some)
}

/// So many bytes; `None` when the stream ends in place of the first.
async fn read(recv: &mut RecvStream, length: usize) -> Result<Option<Bytes>, LaneError> {
    // Of what is announced and does not come, no page is ever touched.
    let mut bytes = BytesMut::with_capacity(length);
    while bytes.len() < length {
        let wanted = (length - bytes.len()) as u64;
        match (&mut *recv).take(wanted).read_buf(&mut bytes).await {
            Ok(0) if bytes.is_empty() => return Ok(None),
            Ok(0) => return Err(broken_off()),
            Ok(_) => {}
            Err(error) => return Err(lost(&error)),
        }
    }
    Ok(Some(bytes.freeze()))
}

fn broken_off() -> LaneError {
    LaneError::Lost("it ends within a frame".into())
}

fn lost(error: &io::Error) -> LaneError {
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref());
    cause.map_or_else(
        || LaneError::Lost(error.to_string()),
        |cause: &ReadError| trouble::lane_error(cause),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::frame::Piece;

    #[test]
    fn a_frame_is_sent_as_the_length_and_the_bytes_of_its_message() {
        let parts = |lengths: &[usize]| {
            let parts = lengths.iter().map(|length| vec![7; *length].into());
            Frame::Piece(Piece {
                parts: parts.collect(),
            })
        };
        let frames = [
            Frame::Heartbeat,
            Frame::Credit(1 << 40),
            Frame::Note(Bytes::from(vec![1; 70_000])),
            parts(&[]),
            parts(&[0]),
            parts(&[1]),
            parts(&[127, 0, 128, 200_000, 16_383, 16_384]),
        ];
        for frame in frames {
            let message = wire::encode(frame.clone());
            let sent = chunks(frame).concat();
            let (length, bytes) = sent.split_at(LENGTH_BYTES);
            assert_eq!(length, u32::try_from(message.len()).unwrap().to_be_bytes());
            assert_eq!(bytes, message);
        }
    }

    #[test]
    fn the_parts_of_a_piece_are_not_copied() {
        let part = Bytes::from(vec![7; 100_000]);
        let frame = Frame::Piece(Piece {
            parts: vec![part.clone()],
        });
        assert!(
            chunks(frame)
                .iter()
                .any(|chunk| chunk.as_ptr() == part.as_ptr())
        );
    }
}
