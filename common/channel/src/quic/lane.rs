//! A lane as streams: their first bytes, and the frames behind them, which take turns. So what a lane may have under way is the windows of
//! several streams, and a lost packet holds up what comes on one of them.

use super::trouble::{self, ABANDONED};
use super::{FAREWELL_LIMIT, priority, streams};
use crate::error::LaneError;
use crate::link::{Lane, LaneRx, LaneTx, QUEUE_FRAMES};
use crate::listening::{LaneAt, SessionId};
use crate::wire;
use bytes::{BufMut, Bytes, BytesMut};
use futures::future;
use futures::stream::{self, Stream, StreamExt};
use prost::Message;
use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint, key_len};
use protocol::Frame;
use protocol::frame::MAX_FRAME_BYTES;
use quinn::{
    Connection, ConnectionError, ReadError, ReadExactError, RecvStream, SendStream, VarInt,
    WriteError,
};
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

/// The streams of a lane, in the order in which frames go over them.
#[derive(Debug)]
pub(super) struct Streams {
    send: Vec<SendStream>,
    recv: Vec<RecvStream>,
}

impl Streams {
    /// Opens those of a lane, and says on each which lane it is.
    pub(super) async fn open(connection: &Connection, at: LaneAt) -> Result<Self, WriteError> {
        let (mut send, mut recv) = (Vec::new(), Vec::new());
        for _ in 0..streams(at.number) {
            let (mut out, back) = connection.open_bi().await?;
            write_head(&mut out, at).await?;
            send.push(out);
            recv.push(back);
        }
        Ok(Self { send, recv })
    }

    /// The lane that a peer opens next on a connection, once all its streams are there; an error within is what they were instead.
    pub(super) async fn accept(
        connection: &Connection,
    ) -> Result<Result<(LaneAt, Self), LaneError>, ConnectionError> {
        let (send, mut recv) = connection.accept_bi().await?;
        let at = match read_head(&mut recv).await {
            Ok(at) => at,
            Err(error) => return Ok(Err(error)),
        };
        let (mut send, mut recv) = (vec![send], vec![recv]);
        for _ in 1..streams(at.number) {
            // quinn gives them in the order in which they were opened.
            let (back, mut out) = connection.accept_bi().await?;
            match read_head(&mut out).await {
                Ok(head) if head == at => {}
                Ok(_) => {
                    let torn = "the streams of two lanes are mixed".to_owned();
                    return Ok(Err(LaneError::Violation(torn)));
                }
                Err(error) => return Ok(Err(error)),
            }
            send.push(back);
            recv.push(out);
        }
        Ok(Ok((at, Self { send, recv })))
    }

    /// A lane of one stream.
    #[cfg(test)]
    pub(super) fn of(send: SendStream, recv: RecvStream) -> Self {
        Self {
            send: vec![send],
            recv: vec![recv],
        }
    }

    /// Ends them, and says why.
    pub(super) fn refuse(mut self, code: VarInt) {
        for send in &mut self.send {
            send.reset(code).ok();
        }
        for recv in &mut self.recv {
            recv.stop(code).ok();
        }
    }

    /// The lane. It keeps the connection.
    pub(super) fn into_lane(self, number: u32) -> Lane {
        for send in &self.send {
            send.set_priority(priority(number)).ok();
        }
        let (frames, to_send) = mpsc::channel(QUEUE_FRAMES);
        let (tx, left) = LaneTx::watched(frames);
        tokio::spawn(carry_out(self.send, to_send, left));
        Lane {
            tx,
            rx: LaneRx::new(incoming(self.recv).boxed()),
        }
    }
}

/// Writes a stream's first bytes.
pub(super) async fn write_head(send: &mut SendStream, at: LaneAt) -> Result<(), WriteError> {
    let mut head = BytesMut::with_capacity(HEAD_BYTES);
    head.put_slice(&at.session.0);
    head.put_u32(at.number);
    send.write_chunk(head.freeze()).await
}

/// Reads them; an error is what else they were.
async fn read_head(recv: &mut RecvStream) -> Result<LaneAt, LaneError> {
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

/// Sends frames until the lane's user has left or the peer takes no more; `left` is cancelled when the user leaves.
async fn carry_out(
    mut streams: Vec<SendStream>,
    mut to_send: mpsc::Receiver<Frame>,
    left: CancellationToken,
) {
    // Each acknowledged to the end; or one stopped, or lost.
    let ends: Vec<_> = streams.iter().map(SendStream::stopped).collect();
    let over = future::try_join_all(ends.into_iter().map(async |end| match end.await {
        Ok(None) => Ok(()),
        _ => Err(()),
    }));
    let sending = async {
        let mut turn = (0..streams.len()).cycle();
        while let (Some(frame), Some(at)) = (to_send.recv().await, turn.next()) {
            let sent = streams[at].write_all_chunks(&mut chunks(frame)).await;
            if sent.is_err() {
                return;
            }
        }
        for send in &mut streams {
            // Stopped already: then there is nobody to finish for.
            send.finish().ok();
        }
        std::future::pending().await
    };
    tokio::select! {
        () = sending => {}
        _ = over => {}
        () = late(left) => {}
    }
    for send in &mut streams {
        // What is dropped would look as if it had been sent to its end. One that was is not changed by this.
        send.reset(ABANDONED).ok();
    }
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

/// The frames of a lane's streams; nothing comes after their end or an error.
fn incoming(streams: Vec<RecvStream>) -> impl Stream<Item = Result<Frame, LaneError>> + Send {
    stream::unfold(Some((streams, 0)), async |open| {
        let (mut streams, turn) = open?;
        let next = (turn + 1) % streams.len();
        match read_frame(&mut streams[turn]).await {
            Ok(Some(frame)) => Some((Ok(frame), Some((streams, next)))),
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
