//! The service `Link` of link.proto, by whose only call a lane is opened.
//!
//! It is written by hand, since generated code decodes a frame before anyone can look at its bytes; here they are read as over QUIC.

use super::listen::Doors;
use crate::error::LaneError;
use crate::wire;
use bytes::Buf;
use futures::future::BoxFuture;
use futures::stream::Stream;
use proto::agent as written;
use proto::codec::{Exact, ExactEncoder};
use protocol::Frame;
use protocol::frame::MAX_FRAME_BYTES;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll};
use tonic::body::Body;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::{BoxStream, http};
use tonic::server::{NamedService, StreamingService};
use tonic::transport::Channel;
use tonic::{Request, Response, Status, Streaming};
use tower::Service;

const LANE: &str = "/passage.agent.v1.Link/Lane";

/// What comes in on a lane.
pub(super) type Incoming = Streaming<Result<Frame, LaneError>>;

/// How a lane that was asked for is answered.
pub(super) type Answer = Result<Response<BoxStream<Frame>>, Status>;

/// Opens a lane on this connection.
pub(super) async fn call(
    connection: Channel,
    request: Request<impl Stream<Item = Frame> + Send + 'static>,
) -> Result<Incoming, Status> {
    let mut client =
        tonic::client::Grpc::new(connection).max_decoding_message_size(MAX_FRAME_BYTES);
    let unready = |error: tonic::transport::Error| Status::from_error(error.into());
    client.ready().await.map_err(unready)?;
    let path = http::uri::PathAndQuery::from_static(LANE);
    let answer = client.streaming(request, path, Frames).await?;
    Ok(answer.into_inner())
}

/// The listening side.
#[derive(Clone)]
pub(super) struct LinkService(pub(super) Doors);

impl NamedService for LinkService {
    const NAME: &'static str = "passage.agent.v1.Link";
}

impl Service<http::Request<Body>> for LinkService {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let this = self.clone();
        Box::pin(async move {
            if request.uri().path() != LANE {
                return Ok(Status::unimplemented("there is no such call").into_http());
            }
            let mut server = tonic::server::Grpc::new(Frames)
                .apply_max_message_size_config(Some(MAX_FRAME_BYTES), None);
            Ok(server.streaming(this, request).await)
        })
    }
}

impl StreamingService<Result<Frame, LaneError>> for LinkService {
    type Response = Frame;
    type ResponseStream = BoxStream<Frame>;
    type Future = Ready<Answer>;

    fn call(&mut self, request: Request<Incoming>) -> Self::Future {
        ready(self.0.admit(request))
    }
}

/// Frames in their written form. One that breaks the protocol is an item, not a failure of gRPC's: so it keeps its error.
#[derive(Debug)]
struct Frames;

impl Codec for Frames {
    type Encode = Frame;
    type Decode = Result<Frame, LaneError>;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Frames {
    type Item = Frame;
    type Error = Status;

    fn encode(&mut self, frame: Frame, buf: &mut EncodeBuf<'_>) -> Result<(), Status> {
        let mut exact: ExactEncoder<written::Frame> =
            Codec::encoder(&mut Exact::<_, written::Frame>::default());
        exact.encode(wire::write(frame), buf)
    }
}

impl Decoder for Frames {
    type Item = Result<Frame, LaneError>;
    type Error = Status;

    fn decode(&mut self, buf: &mut DecodeBuf<'_>) -> Result<Option<Self::Item>, Status> {
        let bytes = buf.copy_to_bytes(buf.remaining());
        Ok(Some(wire::decode(bytes)))
    }
}
