//! Against listeners that answer what they are told to.

use super::*;
use crate::call;
use crate::{Credentials, Tls};
use rcgen::{CertificateParams, Issuer, KeyPair};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

const LIMIT: Duration = Duration::from_secs(10);

fn call() -> Call<'static> {
    Call::new("CreateImport", "docs", call::Kind::Write)
}

/// Reads one request to the end of its body, and answers with these bytes.
async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin, answer: &str) -> String {
    let mut read = Vec::new();
    let length = |head: &str| -> usize {
        let line = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        line.and_then(|length| length.parse().ok()).unwrap_or(0)
    };
    loop {
        let text = String::from_utf8_lossy(&read).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n")
            && body.len() >= length(head)
        {
            stream.write_all(answer.as_bytes()).await.unwrap();
            stream.shutdown().await.unwrap();
            return text;
        }
        assert_ne!(stream.read_buf(&mut read).await.unwrap(), 0, "{text}");
    }
}

/// A listener that answers one request, and gives it.
async fn listener(answer: String) -> (Endpoint, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = Endpoint::new(format!("http://{}", listener.local_addr().unwrap()));
    let served = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        serve(stream, &answer).await
    });
    (endpoint, served)
}

fn answer(status: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n\r\n{body}")
}

async fn asked(status: &str, body: &str) -> Result<Value, MilvusError> {
    let (endpoint, _served) = listener(answer(status, body)).await;
    let rest = Rest::of(&endpoint).unwrap();
    rest.post(call(), LIMIT, "/v2", &json!({})).await
}

#[tokio::test]
async fn a_request_says_who_asks_and_for_what() {
    let body = json!({ "code": 0, "data": { "jobId": "7" } }).to_string();
    let (mut endpoint, served) = listener(answer("200 OK", &body)).await;
    endpoint.credentials = Credentials::Password {
        user: "root".into(),
        password: Secret::new("Milvus"),
    };
    let rest = Rest::of(&endpoint).unwrap();
    let wanted = json!({ "collectionName": "docs" });
    let data: Value = rest
        .post(call(), LIMIT, "/v2/vectordb/jobs/import/create", &wanted)
        .await
        .unwrap();
    assert_eq!(data, json!({ "jobId": "7" }));
    let request = served.await.unwrap();
    let (head, sent) = request.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /v2/vectordb/jobs/import/create HTTP/1.1\r\n"));
    let host = endpoint.uri.strip_prefix("http://").unwrap();
    for line in [
        "authorization: Bearer root:Milvus",
        "content-type: application/json",
        &format!("host: {host}"),
    ] {
        assert!(head.lines().any(|given| given == line), "{line}: {head}");
    }
    assert_eq!(serde_json::from_str::<Value>(sent).unwrap(), wanted);
}

#[tokio::test]
async fn both_codes_of_success_are_success() {
    for code in SUCCESS {
        let body = json!({ "code": code, "data": [] }).to_string();
        assert_eq!(asked("200 OK", &body).await.unwrap(), json!([]));
    }
}

#[tokio::test]
async fn a_refusal_is_understood_by_its_code_and_its_status() {
    let told = |code: i32, message: &str| json!({ "code": code, "message": message }).to_string();
    let full =
        "importing data failed: The number of jobs has reached the limit, please try again later";
    let cases = [
        (
            "200 OK",
            told(100, "can't find collection"),
            Kind::CollectionNotFound,
            false,
        ),
        ("200 OK", told(2100, full), Kind::RateLimit, false),
        (
            "200 OK",
            told(2100, "import job does not exist, jobID=7"),
            Kind::ImportNotFound,
            true,
        ),
        (
            "200 OK",
            told(1802, "missing required parameters"),
            Kind::Refused,
            true,
        ),
        (
            "401 Unauthorized",
            told(1800, "user hasn't authenticated"),
            Kind::Unauthenticated,
            false,
        ),
        (
            "403 Forbidden",
            told(65535, "PrivilegeImport: permission deny"),
            Kind::Denied,
            false,
        ),
        (
            "404 Not Found",
            "404 page not found".to_owned(),
            Kind::Unimplemented,
            false,
        ),
        (
            "408 Request Timeout",
            told(65535, "request timeout"),
            Kind::Timeout,
            true,
        ),
        (
            "502 Bad Gateway",
            "<html>".to_owned(),
            Kind::Unreachable,
            true,
        ),
        ("200 OK", "<html>".to_owned(), Kind::Answer, true),
    ];
    for (status, body, kind, is_unknown) in cases {
        let error = asked(status, &body).await.unwrap_err();
        let found = (error.kind(), error.is_outcome_unknown());
        assert_eq!(found, (kind, is_unknown), "{status} {body}: {error}");
    }
}

#[tokio::test]
async fn what_was_never_sent_was_never_done_and_what_breaks_off_may_have_been() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = Endpoint::new(format!("http://{}", listener.local_addr().unwrap()));
    drop(listener);
    let rest = Rest::of(&endpoint).unwrap();
    let asked: Result<Value, _> = rest.post(call(), LIMIT, "/v2", &json!({})).await;
    let error = asked.unwrap_err();
    assert_eq!(error.kind(), Kind::Unreachable);
    assert!(!error.is_outcome_unknown(), "{error}");

    let (endpoint, _served) = self::listener(String::new()).await;
    let rest = Rest::of(&endpoint).unwrap();
    let asked: Result<Value, _> = rest.post(call(), LIMIT, "/v2", &json!({})).await;
    let error = asked.unwrap_err();
    assert_eq!(error.kind(), Kind::Unreachable);
    assert!(error.is_outcome_unknown(), "{error}");
}

#[tokio::test]
async fn an_answer_that_never_comes_has_an_unknown_outcome() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = Endpoint::new(format!("http://{}", listener.local_addr().unwrap()));
    let rest = Rest::of(&endpoint).unwrap();
    let shortly = Duration::from_millis(1);
    let asked: Result<Value, _> = rest.post(call(), shortly, "/v2", &json!({})).await;
    let error = asked.unwrap_err();
    assert_eq!(error.kind(), Kind::Timeout);
    assert!(error.is_outcome_unknown());
}

#[tokio::test]
async fn the_answer_of_a_server_with_tls_is_had_by_the_authority_that_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let ca_pem_path = folder.path().join("ca.pem");
    let ca_key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let ca = params.self_signed(&ca_key).unwrap();
    std::fs::write(&ca_pem_path, ca.pem()).unwrap();
    let issuer = Issuer::new(params, ca_key);
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec!["milvus.example".to_owned()]).unwrap();
    let leaf = leaf.signed_by(&key, &issuer).unwrap();
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![leaf.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut endpoint = Endpoint::new("http://127.0.0.1:1");
    endpoint.rest_uri = Some(format!("https://{}", listener.local_addr().unwrap()));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if let Ok(stream) = acceptor.accept(stream).await {
                let body = json!({ "code": 0, "data": true }).to_string();
                serve(stream, &answer("200 OK", &body)).await;
            }
        }
    });
    let of = |server_name: &str| Tls {
        ca_pem_path: Some(ca_pem_path.clone()),
        server_name: Some(server_name.to_owned()),
        ..Tls::default()
    };
    endpoint.tls = of("milvus.example");
    let rest = Rest::of(&endpoint).unwrap();
    let data: bool = rest.post(call(), LIMIT, "/v2", &json!({})).await.unwrap();
    assert!(data);
    endpoint.tls = of("another.example");
    let rest = Rest::of(&endpoint).unwrap();
    let refused: Result<bool, _> = rest.post(call(), LIMIT, "/v2", &json!({})).await;
    assert!(!refused.unwrap_err().is_outcome_unknown());
}
