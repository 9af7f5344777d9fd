//! How gRPC's messages are written: each into memory of just its size.
//!
//! A buffer that grows while a message is written is copied at every doubling, and ends up to twice as large as the message: with
//! batches of megabytes both are felt.

use prost::Message;
use std::marker::PhantomData;
use tonic::Status;
use tonic::codec::{BufferSettings, Codec, EncodeBuf, Encoder};
use tonic_prost::{ProstCodec, ProstDecoder};

/// prost's messages, their size told before they are written.
#[derive(Debug)]
pub struct Exact<T, U> {
    _of: PhantomData<(T, U)>,
}

impl<T, U> Default for Exact<T, U> {
    fn default() -> Self {
        Self { _of: PhantomData }
    }
}

impl<T, U> Codec for Exact<T, U>
where
    T: Message + Send + 'static,
    U: Message + Default + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = ExactEncoder<T>;
    type Decoder = ProstDecoder<U>;

    fn encoder(&mut self) -> Self::Encoder {
        ExactEncoder { _of: PhantomData }
    }

    fn decoder(&mut self) -> Self::Decoder {
        ProstCodec::<T, U>::raw_decoder(BufferSettings::default())
    }
}

/// The writing side of [`Exact`].
#[derive(Debug)]
pub struct ExactEncoder<T> {
    _of: PhantomData<T>,
}

impl<T: Message> Encoder for ExactEncoder<T> {
    type Item = T;
    type Error = Status;

    fn encode(&mut self, item: T, buf: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buf.reserve(item.encoded_len());
        item.encode(buf)
            .map_err(|error| Status::internal(error.to_string()))
    }
}
