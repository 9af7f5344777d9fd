//! A client against a fake Milvus: what real ones can't be made to show.

use super::*;
use crate::{Credentials, Kind, Product, Secret};
use proto::milvus::common::ServerInfo;
use proto::milvus::service as wire;
use proto::milvus::service::milvus_service_server::{MilvusService, MilvusServiceServer};
use std::sync::Mutex;
use std::time::Duration;
use tokio_stream::wrappers::TcpListenerStream;

/// Knows Connect, AllocTimestamp and ShowCollections, and nothing else. Keeps the metadata of the last call.
#[derive(Default)]
struct Fake {
    build_tags: &'static str,
    hangs: bool,
    seen: Arc<Mutex<Vec<(String, String)>>>,
}

impl Fake {
    fn note<T>(&self, request: &Request<T>) {
        let metadata = request.metadata();
        let value = |name| metadata.get(name).and_then(|value| value.to_str().ok());
        let names = ["authorization", "identifier", "dbname", "grpc-timeout"];
        let seen = names
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), value(*name)?.to_owned())));
        *self.seen.lock().unwrap() = seen.collect();
    }
}

#[tonic::async_trait]
impl MilvusService for Fake {
    async fn connect(
        &self,
        _: Request<wire::ConnectRequest>,
    ) -> Result<Response<wire::ConnectResponse>, Status> {
        if self.build_tags.is_empty() {
            return Err(Status::unimplemented("unknown method Connect"));
        }
        let build_tags = self.build_tags.to_owned();
        let server_info = Some(ServerInfo { build_tags });
        Ok(Response::new(wire::ConnectResponse {
            status: None,
            server_info,
            identifier: 4_711,
        }))
    }

    async fn alloc_timestamp(
        &self,
        request: Request<wire::AllocTimestampRequest>,
    ) -> Result<Response<wire::AllocTimestampResponse>, Status> {
        self.note(&request);
        Ok(Response::new(wire::AllocTimestampResponse {
            status: None,
            timestamp: 7,
        }))
    }

    async fn show_collections(
        &self,
        _: Request<wire::ShowCollectionsRequest>,
    ) -> Result<Response<wire::ShowCollectionsResponse>, Status> {
        if self.hangs {
            std::future::pending::<()>().await;
        }
        Ok(Response::new(wire::ShowCollectionsResponse::default()))
    }
}

/// Serves a fake on a port of its own, for as long as the test's runtime lives.
async fn serve(fake: Fake) -> Endpoint {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("http://{}", listener.local_addr().unwrap());
    let server = tonic::transport::Server::builder().add_service(MilvusServiceServer::new(fake));
    tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
    Endpoint::new(uri)
}

#[tokio::test]
async fn what_a_server_does_not_know_is_found_out_whatever_its_version_says() {
    let endpoint = serve(Fake {
        build_tags: "v2.6.4",
        ..Fake::default()
    })
    .await;
    let client = Client::connect(&endpoint).await.unwrap();
    let can = client.capabilities();
    assert!(can.alloc_timestamp && can.insert_auto_id);
    assert!(!can.upsert && !can.list_aliases && !can.databases && !can.replicas);
    assert_eq!(client.alloc_timestamp().await, Ok(Some(7)));
}

#[tokio::test]
async fn every_call_says_who_calls_and_in_which_database() {
    let fake = Fake {
        build_tags: "v2.6.4",
        ..Fake::default()
    };
    let seen = Arc::clone(&fake.seen);
    let mut endpoint = serve(fake).await;
    endpoint.credentials = Credentials::Token(Secret::new("root:Milvus"));
    let client = Client::connect(&endpoint).await.unwrap();
    client.in_database("sales").alloc_timestamp().await.unwrap();
    let seen = seen.lock().unwrap().clone();
    let value = |name: &str| {
        seen.iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    };
    assert_eq!(value("authorization"), Some("cm9vdDpNaWx2dXM="));
    assert_eq!(
        (value("identifier"), value("dbname")),
        (Some("4711"), Some("sales"))
    );
    assert!(value("grpc-timeout").is_some());
}

#[tokio::test]
async fn a_server_that_never_answers_is_waited_for_no_longer_than_the_limit() {
    let fake = Fake {
        build_tags: "v2.6.4",
        hangs: true,
        ..Fake::default()
    };
    let mut endpoint = serve(fake).await;
    endpoint.deadlines.describe = Duration::from_millis(200);
    let client = Client::connect(&endpoint).await.unwrap();
    let error = client.list_collections().await.unwrap_err();
    assert_eq!(error.kind(), Kind::Timeout, "{error}");
    assert!(error.is_outcome_unknown());
}

#[tokio::test]
async fn a_server_that_knows_nothing_of_milvus_is_no_milvus() {
    let endpoint = serve(Fake::default()).await;
    let error = Client::connect(&endpoint).await.unwrap_err();
    assert!(error.to_string().contains("no Milvus"), "{error}");
}

#[tokio::test]
async fn zilliz_cloud_is_recognized() {
    let build_tags = "Zilliz Cloud Vector Database(Compatible with Milvus 2.6)";
    let client = Client::connect(
        &serve(Fake {
            build_tags,
            ..Fake::default()
        })
        .await,
    )
    .await
    .unwrap();
    assert_eq!(client.version().product(), Product::Zilliz);
    assert!(client.capabilities().only_auto_index && !client.capabilities().flush_state);
}
