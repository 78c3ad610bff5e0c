use axum::body::Body;
use axum::http::Request;
use proptest::prelude::*;

use crate::test_bed::{TestBed, ann, deployment, job_file, json_request, packed, request};

#[tokio::test]
async fn what_cannot_be_read_is_refused_with_its_code() {
    let bed = TestBed::new();
    let id = bed.job_of_ann().await;
    let job = format!("/api/v1/jobs/{id}");
    let long = "x".repeat(5000);
    let huge = format!(r#"{{"description":"{}"}}"#, "x".repeat(300_000));
    let mut typed = json_request("PATCH", &job, r#"{"name":"x"}"#);
    typed
        .headers_mut()
        .insert("content-type", "text/plain".parse().unwrap());
    for (request, expected) in [
        (request("GET", "/"), "404 request/no-such-path"),
        (request("GET", "/api/v1"), "404 request/no-such-path"),
        (
            request("GET", "/api/v1/treasures"),
            "404 request/no-such-path",
        ),
        (request("GET", "/api/v1/jobs/"), "404 request/no-such-path"),
        (
            request("GET", "/api/v1/jobs/../../etc/passwd"),
            "404 request/no-such-path",
        ),
        (
            request("GET", &format!("/{long}")),
            "404 request/no-such-path",
        ),
        (request("PUT", &job), "405 request/method-not-allowed"),
        (
            request("DELETE", "/api/v1/jobs"),
            "405 request/method-not-allowed",
        ),
        (request("GET", "/api/v1/jobs/x"), "400 job/bad-id"),
        (
            request("GET", "/api/v1/jobs/..%2F..%2Fetc"),
            "400 job/bad-id",
        ),
        (request("GET", "/api/v1/jobs/%00"), "400 job/bad-id"),
        (request("GET", "/api/v1/jobs/%ff%fe"), "400 job/bad-id"),
        (
            request("GET", "/api/v1/jobs/A37B187F5930"),
            "400 job/bad-id",
        ),
        (
            request("GET", "/api/v1/jobs/000000000000"),
            "404 job/not-found",
        ),
        (request("GET", "/api/v1/runs/r1"), "400 run/bad-id"),
        (
            request("GET", "/api/v1/runs/r0000000030000"),
            "404 run/not-found",
        ),
        (
            request("POST", "/api/v1/runs/rfzzzzzzzzzzzz/cancel"),
            "404 run/not-found",
        ),
        (
            request("GET", "/api/v1/jobs?limit=0"),
            "400 request/bad-query",
        ),
        (
            request("GET", "/api/v1/jobs?limit=1001"),
            "400 request/bad-query",
        ),
        (
            request("GET", "/api/v1/jobs?limit=-1"),
            "400 request/bad-query",
        ),
        (
            request("GET", "/api/v1/jobs?limit=99999999999999999999"),
            "400 request/bad-query",
        ),
        (
            request("GET", "/api/v1/jobs?colour=red"),
            "400 request/bad-query",
        ),
        (
            request("GET", "/api/v1/jobs?after=x"),
            "400 request/bad-query",
        ),
        (
            request("GET", "/api/v1/jobs?limit=1&limit=2"),
            "400 request/bad-query",
        ),
        (
            request("GET", "/api/v1/runs/r0000000030000?wait=61"),
            "400 request/bad-query",
        ),
        (
            request("GET", "/api/v1/runs/r0000000030000/output?after=1.2"),
            "400 request/bad-query",
        ),
        (
            request("GET", "/api/v1/runs/r0000000030000/output?follow=2"),
            "400 request/bad-query",
        ),
        (request("GET", "/api/v1/ledger"), "400 request/bad-query"),
        (
            request("GET", &format!("/api/v1/ledger?job={id}&at=yesterday")),
            "400 request/bad-query",
        ),
        (
            request(
                "GET",
                &format!("/api/v1/ledger?job={id}&at=2026-01-01T00:00:00Z&to=2026-01-01T00:00:00Z"),
            ),
            "400 request/bad-query",
        ),
        (
            request("GET", "/api/v1/schedule/next"),
            "400 request/bad-query",
        ),
        (
            request("GET", "/api/v1/schedule/next?text=hourly&count=0"),
            "400 request/bad-query",
        ),
        (
            request("GET", "/api/v1/schedule/next?text=every+Wendesday+at+17:00"),
            "422 schedule/unknown-word",
        ),
        (
            request("GET", "/api/v1/schedule/next?text=never&timezone=Moon"),
            "422 schedule/unknown-zone",
        ),
        (
            request(
                "GET",
                "/api/v1/schedule/next?text=@daily&from=-009999-01-01T00:00:00Z",
            ),
            "400 request/bad-query",
        ),
        (json_request("PATCH", &job, ""), "400 request/bad-body"),
        (json_request("PATCH", &job, "{"), "400 request/bad-body"),
        (json_request("PATCH", &job, "[]"), "400 request/bad-body"),
        (
            json_request("PATCH", &job, r#"{"name":1}"#),
            "400 request/bad-body",
        ),
        (
            json_request("PATCH", &job, &"[".repeat(60_000)),
            "400 request/bad-body",
        ),
        (json_request("PATCH", &job, &huge), "413 request/too-large"),
        (typed, "415 request/unsupported-media-type"),
        (request("PATCH", &job), "415 request/unsupported-media-type"),
        (
            request("POST", "/api/v1/jobs?file=job.yml"),
            "415 request/unsupported-media-type",
        ),
        (request("POST", "/api/v1/jobs"), "400 request/bad-query"),
    ] {
        let what = format!("{} {}", request.method(), request.uri());
        assert_eq!(bed.ask(&ann(), request).await.outcome(), expected, "{what}");
    }
}

#[tokio::test]
async fn a_bundle_that_is_none_is_refused_and_leaves_nothing() {
    let bed = TestBed::new();
    let good = packed(&job_file("greet", ""));
    let cut = good[..good.len() / 2].to_vec();
    let to = |file: &str, bundle: Vec<u8>| {
        let mut request = deployment("", bundle);
        *request.uri_mut() = format!("/api/v1/jobs?file={file}").parse().unwrap();
        request
    };
    let large: Request<Body> = {
        let mut request = deployment("", Vec::new());
        *request.body_mut() = Body::from(vec![0; 65 * 1024 * 1024]);
        request
    };
    let endless: Request<Body> = {
        let piece = axum::body::Bytes::from(vec![0; 1024 * 1024]);
        let stream =
            futures_util::stream::repeat_with(move || Ok::<_, std::io::Error>(piece.clone()));
        let mut request = deployment("", Vec::new());
        *request.body_mut() = Body::from_stream(stream);
        request
    };
    let aborted: Request<Body> = {
        let pieces = [
            Ok(axum::body::Bytes::from(cut.clone())),
            Err(std::io::Error::other("gone")),
        ];
        let mut request = deployment("", Vec::new());
        *request.body_mut() = Body::from_stream(futures_util::stream::iter(pieces));
        request
    };
    for (request, expected) in [
        (deployment("", Vec::new()), "422 bundle/damaged"),
        (
            deployment("", b"not zstd at all".to_vec()),
            "422 bundle/damaged",
        ),
        (deployment("", cut), "422 bundle/damaged"),
        (to("other.yml", good.clone()), "422 bundle/no-job-file"),
        (to("run.sh", good.clone()), "422 file/wrong-type"),
        (to("..%2Fjob.yml", good.clone()), "400 request/bad-query"),
        (to("%2Fetc%2Fpasswd", good.clone()), "400 request/bad-query"),
        (to("", good), "400 request/bad-query"),
        (large, "422 bundle/too-large-packed"),
        (endless, "422 bundle/too-large-packed"),
        (aborted, "400 request/bad-body"),
    ] {
        let what = request.uri().to_string();
        assert_eq!(bed.ask(&ann(), request).await.outcome(), expected, "{what}");
    }
    assert_eq!(
        std::fs::read_dir(bed.dir.path().join("bundles"))
            .unwrap()
            .count(),
        0
    );
}

/// Paths, queries, headers and bodies out of pieces that mean something and bytes that do not.
fn any_request() -> impl Strategy<Value = Request<Body>> {
    const PIECES: [&str; 20] = [
        "",
        "api",
        "v1",
        "jobs",
        "runs",
        "ledger",
        "schedule",
        "next",
        "explain",
        "nodes",
        "events",
        "a37b187f7b52",
        "r0000000030000",
        "run",
        "pause",
        "bundle",
        "versions",
        "..",
        "%2e%2e",
        "%00",
    ];
    const KEYS: [&str; 14] = [
        "limit", "after", "job", "at", "from", "to", "text", "timezone", "count", "wait", "file",
        "owner", "name", "version",
    ];
    let escaped = |bytes: Vec<u8>| {
        bytes
            .iter()
            .map(|byte| format!("%{byte:02x}"))
            .collect::<String>()
    };
    let noise = prop::collection::vec(any::<u8>(), 0..20).prop_map(escaped);
    let piece = prop_oneof![4 => prop::sample::select(&PIECES[..]).prop_map(str::to_owned), 1 => noise.clone()];
    let path = (any::<bool>(), prop::collection::vec(piece, 0..5)).prop_map(|(known, pieces)| {
        format!(
            "{}/{}",
            if known { "/api/v1" } else { "" },
            pieces.join("/")
        )
    });
    let value = prop_oneof![
        noise,
        "[0-9a-z.:TZ-]{0,24}",
        Just("2026-11-21T09:00:00Z".to_owned())
    ];
    let query =
        prop::collection::vec((prop::sample::select(&KEYS[..]), value), 0..3).prop_map(|pairs| {
            pairs
                .iter()
                .map(|(key, value)| format!("{key}={value}&"))
                .collect::<String>()
        });
    let method =
        prop::sample::select(&["GET", "POST", "PATCH", "DELETE", "PUT", "HEAD", "OPTIONS"][..]);
    let content_type =
        prop::sample::select(&["application/json", "application/zstd", "text/plain"][..]);
    let body = prop::collection::vec(any::<u8>(), 0..200);
    (method, path, query, content_type, body).prop_map(
        |(method, path, query, content_type, body)| {
            let mut request = request(method, &format!("{}?{query}", path.replace('?', "")));
            request
                .headers_mut()
                .insert("content-type", content_type.parse().unwrap());
            *request.body_mut() = Body::from(body);
            request
        },
    )
}

#[test]
fn no_request_makes_the_server_fail() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    let bed = runtime.block_on(async {
        let bed = TestBed::new();
        bed.job_of_ann().await;
        bed
    });
    proptest!(ProptestConfig::with_cases(500), |(request in any_request())| {
        let what = format!("{} {}", request.method(), request.uri());
        // Streams go on for ever: their head is enough.
        let response = runtime.block_on(bed.send(&ann(), request));
        let status = response.status().as_u16();
        prop_assert!(status < 500, "{what}: {status}");
        let content_type = response.headers().get("content-type").map(|value| value.to_str().unwrap());
        prop_assert!(status < 400 || content_type == Some("application/problem+json"), "{what}: {status}");
    });
}
