use super::*;
use crate::call;
use model::Class;

fn call() -> Call<'static> {
    Call::new("Insert", "docs", call::Kind::Write)
}

fn refusal(code: i32, error_code: i32, reason: &str) -> MilvusError {
    status(
        call(),
        &Status {
            code,
            error_code,
            reason: reason.to_owned(),
            retriable: false,
        },
    )
}

#[test]
fn what_2_3_says_is_understood() {
    let cases = [
        (
            100,
            4,
            "collection not found[database=default][collection=nope]",
            Kind::CollectionNotFound,
        ),
        (
            100,
            1,
            "can't find collection collection not found[database=default]",
            Kind::CollectionNotFound,
        ),
        (
            101,
            1,
            "failed to query: collection not loaded[collection=47]",
            Kind::NotLoaded,
        ),
        (
            65535,
            1,
            "failed to search/query delegator 1 for channel dml_1_47v1: fail to Query, QueryNode ID = 1, reason=partition not loaded[partition=[48]]",
            Kind::NotLoaded,
        ),
        (
            500,
            1,
            "attempt #42: channel not found[channel=by-dev-rootcoord-dml_1_47v1]",
            Kind::NotReady,
        ),
        (
            65535,
            1,
            "attempt #42: channel not found[channel=by-dev-rootcoord-dml_1_47v1]",
            Kind::NotReady,
        ),
        (
            65535,
            1,
            "failed to search/query delegator 1 for channel dml_1_47v0: fail to Query, QueryNode ID = 1, reason=delegator closed during wait tsafe: channel not available[channel=dml_1_47v0]",
            Kind::NotReady,
        ),
        (
            65535,
            1,
            "worker(1) query failed: segment 47 belongs to partition 46, which is not in [44 45]",
            Kind::NotReady,
        ),
        (
            700,
            25,
            "index not found[collection=errs]",
            Kind::IndexNotFound,
        ),
        (
            800,
            1,
            "database not found[database=nodb]",
            Kind::DatabaseNotFound,
        ),
        (
            200,
            15,
            "partition not found[partition=zz]",
            Kind::PartitionNotFound,
        ),
        (
            65535,
            1,
            "partition name zz not found",
            Kind::PartitionNotFound,
        ),
        (65535, 1, "database already exist: d1", Kind::AlreadyExists),
        (
            65535,
            1,
            "create duplicate collection with different parameters, collection: errs",
            Kind::AlreadyExists,
        ),
        (
            65535,
            1,
            "CreateIndex failed: at most one distinct index is allowed per field",
            Kind::AlreadyExists,
        ),
        (
            1601,
            1,
            "alias and collection name conflict[database=default][alias=errs]",
            Kind::AlreadyExists,
        ),
        (
            65535,
            1,
            "worker(1) query failed: query results exceed the limit size",
            Kind::TooLarge,
        ),
        (65535, 1, "invalid index type: ZORK", Kind::Refused),
        (
            1100,
            5,
            "invalid parameter[expected=need float vector][actual=got nil]",
            Kind::Refused,
        ),
        (8, 49, "rate limit exceeded", Kind::RateLimit),
        (9, 53, "quota exceeded[reason=memory]", Kind::Quota),
    ];
    for (code, legacy, text, kind) in cases {
        assert_eq!(refusal(code, legacy, text).kind(), kind, "{text}");
    }
}

#[test]
fn a_number_that_nobody_knows_is_taken_as_the_server_marks_it() {
    let unknown = |retriable| {
        let reason = "something new".to_owned();
        status(
            call(),
            &Status {
                code: 4_711,
                error_code: 1,
                reason,
                retriable,
            },
        )
    };
    assert_eq!(unknown(true).class(), Class::Transient);
    assert_eq!(unknown(false).class(), Class::Permanent);
    assert!(unknown(true).is_outcome_unknown());
}

#[test]
fn what_2_2_says_in_words_is_understood() {
    let cases = [
        (
            1,
            "code: UnexpectedError, reason: code: CollectionNotExists, reason: can't find collection default:nope",
            Kind::CollectionNotFound,
        ),
        (
            1,
            "checkIfLoaded failed when query, collection:errs, err = collection 47 has not been loaded to memory or load failed",
            Kind::NotLoaded,
        ),
        (
            25,
            "index doesn't exist, collectionID 47",
            Kind::IndexNotFound,
        ),
        (1, "partition is not exist: zz", Kind::PartitionNotFound),
        (
            1,
            "ShowCollections failed: database:nodb not found",
            Kind::DatabaseNotFound,
        ),
        (
            1,
            "cannot create alias, collection already exists with same name: errs",
            Kind::AlreadyExists,
        ),
        (
            1,
            "[UnexpectedError] Assert \"output_data_size <= limit_size\" at /src",
            Kind::TooLarge,
        ),
        (49, "request is rejected", Kind::RateLimit),
        (54, "", Kind::Quota),
        (1, "invalid index type: ZORK", Kind::Refused),
    ];
    for (legacy, text, kind) in cases {
        assert_eq!(refusal(0, legacy, text).kind(), kind, "{text}");
    }
}

#[test]
fn what_lite_says_is_understood() {
    let cases = [
        (
            100,
            4,
            "collection 'nope' does not exist",
            Kind::CollectionNotFound,
        ),
        (
            101,
            101,
            "Collection 'errs' is in state 'released'; call load() before search/get/query",
            Kind::NotLoaded,
        ),
        (
            1,
            1,
            "collection 'errs' already exists",
            Kind::AlreadyExists,
        ),
        (
            35,
            35,
            "index already exists for field 'v'; call drop_index first",
            Kind::AlreadyExists,
        ),
        (
            1,
            1,
            "alias 'errs' conflicts with an existing collection",
            Kind::AlreadyExists,
        ),
        (
            6,
            6,
            "database 'nodb' does not exist",
            Kind::DatabaseNotFound,
        ),
        (
            1,
            0,
            "database 'nodb' does not exist",
            Kind::DatabaseNotFound,
        ),
        (
            700,
            11,
            "no index on collection 'errs'",
            Kind::IndexNotFound,
        ),
        (200, 200, "zz", Kind::PartitionNotFound),
        (
            6,
            6,
            "vector field 'v' expected dim 2, got 3",
            Kind::Refused,
        ),
        (1, 0, "unknown index_type: 'ZORK'", Kind::Refused),
    ];
    for (code, legacy, text, kind) in cases {
        assert_eq!(refusal(code, legacy, text).kind(), kind, "{text}");
    }
}

#[test]
fn a_message_that_is_too_large_is_no_rate_limit() {
    let kind = |code, text| transport(call(), &tonic::Status::new(code, text)).kind();
    let exhausted = Code::ResourceExhausted;
    assert_eq!(
        kind(
            exhausted,
            "grpc: received message larger than max (70 vs. 64)"
        ),
        Kind::TooLarge
    );
    assert_eq!(
        kind(exhausted, "grpc: trying to send message larger than max"),
        Kind::TooLarge
    );
    assert_eq!(
        kind(
            exhausted,
            "request is rejected by grpc RateLimiter middleware"
        ),
        Kind::RateLimit
    );
    let own = "Error, encoded message length too large: found 70 bytes, the limit is: 64 bytes";
    assert_eq!(kind(Code::OutOfRange, own), Kind::TooLarge);
}

#[test]
fn only_an_early_refusal_is_certain_to_have_changed_nothing() {
    let unknown =
        |code, text| transport(call(), &tonic::Status::new(code, text)).is_outcome_unknown();
    assert!(unknown(Code::Unavailable, "tcp connect error"));
    assert!(unknown(Code::Cancelled, "Timeout expired"));
    assert!(unknown(
        Code::Internal,
        "h2 protocol error: error reading a body from connection"
    ));
    assert!(!unknown(Code::Unauthenticated, "auth check failure"));
    assert!(!unknown(
        Code::ResourceExhausted,
        "grpc: received message larger than max (70 vs. 64)"
    ));
    assert!(unknown(
        Code::ResourceExhausted,
        "grpc: trying to send message larger than max"
    ));
    assert!(timeout(call(), Duration::from_secs(1)).is_outcome_unknown());
    assert!(!refusal(8, 49, "rate limit exceeded").is_outcome_unknown());
    assert!(!refusal(1100, 5, "invalid parameter").is_outcome_unknown());
    assert!(refusal(65535, 1, "produce failed").is_outcome_unknown());
    assert!(refusal(10001, 1, "context deadline exceeded").is_outcome_unknown());
    let ended = refusal(0, 1, "proxy TaskCondition context Done");
    assert!(ended.is_outcome_unknown() && ended.kind() == Kind::Timeout);
}

#[test]
fn an_error_tells_call_and_subject_but_no_key() {
    let error = refusal(
        65535,
        1,
        "cannot parse expression: pk in [\"patient-4711\"], error: line 1:5",
    );
    let shown = error.to_string();
    assert!(
        shown.contains("Insert") && shown.contains("docs"),
        "{shown}"
    );
    assert!(!shown.contains("patient"), "{shown}");
    let lite = refusal(
        6,
        6,
        "unexpected token '>' at column 5\n  pk >>> \"patient-4711\"\n     ^",
    );
    assert!(!lite.to_string().contains("patient"));
}

#[test]
fn a_lost_connection_passes_by_itself_and_a_missing_right_does_not() {
    let class = |code| transport(call(), &tonic::Status::new(code, "")).class();
    assert_eq!(class(Code::Unavailable), Class::Transient);
    assert_eq!(class(Code::PermissionDenied), Class::Operator);
    assert_eq!(class(Code::Unimplemented), Class::Permanent);
}

#[test]
fn a_server_whose_parts_do_not_reach_each_other_is_not_ready() {
    let error = refusal(
        65535,
        1,
        "attempt #0: stack trace: tracer/stack_trace.go:51: empty grpc client",
    );
    assert_eq!(
        (error.kind(), error.class()),
        (Kind::NotReady, Class::Transient)
    );
}
