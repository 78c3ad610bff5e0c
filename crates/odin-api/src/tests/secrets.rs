use axum::body::Body;
use axum::http::Request;
use expect_test::expect;
use odin_model::{Owner, Principal};

use crate::test_bed::{Answer, TestBed, ann, bob, job_file, request, root};

const VALUE: &str = "correct horse";

fn put(path: &str, value: impl Into<Body>) -> Request<Body> {
    Request::put(format!("/api/v1/secrets/{path}"))
        .header("content-type", "application/octet-stream")
        .body(value.into())
        .unwrap()
}

async fn set(bed: &TestBed, who: &Principal, path: &str) -> Answer {
    bed.ask(who, put(path, VALUE)).await
}

fn shown(answer: &Answer) -> String {
    let text = String::from_utf8_lossy(&answer.body);
    assert!(!text.contains(VALUE), "{text}");
    let json: serde_json::Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let detail = json.get("detail").or(json.get("name"));
    format!("{} {}", answer.outcome(), detail.unwrap_or_default())
}

#[tokio::test]
async fn a_secret_lives_from_its_first_value_to_its_removal() {
    let bed = TestBed::new();
    let mut log = String::new();
    for (who, method, path) in [
        (ann(), "PUT", "KEY"),
        (ann(), "PUT", "KEY"),
        (ann(), "PUT", "1KEY"),
        (ann(), "PUT", "KEY?owner=bob"),
        (bob(), "DELETE", "KEY"),
        (ann(), "PUT", "KEY/shares/bob"),
        (root(), "PUT", "KEY/shares/bob?owner=ann"),
        (root(), "PUT", "KEY/shares/nobody?owner=ann"),
        (root(), "PUT", "KEY?owner=nobody"),
        (root(), "DELETE", "KEY/shares/bob?owner=ann"),
        (root(), "DELETE", "KEY/shares/bob?owner=ann"),
        (ann(), "DELETE", "KEY"),
        (ann(), "DELETE", "KEY"),
    ] {
        let request = match (method, path.contains("shares")) {
            ("PUT", false) => put(path, VALUE),
            _ => request(method, &format!("/api/v1/secrets/{path}")),
        };
        let answer = bed.ask(&who, request).await;
        log += &format!("{} {method} {path}: {}\n", who.user.user, shown(&answer));
    }
    expect![[r#"
        ann PUT KEY: 200 "KEY"
        ann PUT KEY: 200 "KEY"
        ann PUT 1KEY: 400 secret/bad-name "a secret's name is that of a variable: letters, digits and `_`, no digit first; not '1'"
        ann PUT KEY?owner=bob: 403 request/role-needed "this takes the role admin"
        bob DELETE KEY: 404 secret/not-found "bob has no secret `KEY`"
        ann PUT KEY/shares/bob: 403 request/role-needed "this takes the role admin"
        root PUT KEY/shares/bob?owner=ann: 200 "KEY"
        root PUT KEY/shares/nobody?owner=ann: 404 secret/no-such-user "the server's machine has no user `nobody`"
        root PUT KEY?owner=nobody: 404 secret/no-such-user "the server's machine has no user `nobody`"
        root DELETE KEY/shares/bob?owner=ann: 204 null
        root DELETE KEY/shares/bob?owner=ann: 404 secret/not-shared "the secret `KEY` is not shared with bob"
        ann DELETE KEY: 204 null
        ann DELETE KEY: 404 secret/not-found "ann has no secret `KEY`"
    "#]].assert_eq(&log);
}

#[tokio::test]
async fn lists_show_everything_but_values_and_only_what_one_may_use() {
    let bed = TestBed::new();
    set(&bed, &ann(), "KEY").await;
    set(&bed, &bob(), "OTHER").await;
    let share = request("PUT", "/api/v1/secrets/KEY/shares/bob?owner=ann");
    bed.ask(&root(), share).await;
    let file = job_file("uses", "  secrets: [KEY]\n");
    assert_eq!(bed.deploy(&ann(), "", &file).await.outcome(), "201");
    let mut log = String::new();
    for who in [ann(), bob(), root()] {
        let answer = bed.get(&who, "/api/v1/secrets").await;
        shown(&answer);
        for secret in answer.json()["secrets"].as_array().unwrap() {
            log += &format!("{}: {secret}\n", who.user.user);
        }
    }
    expect![[r#"
        ann: {"name":"KEY","owner":"ann","set_at":"2026-11-21T08:00:00Z","shared_with":["bob"],"used_by":[{"id":"a37b187f7b52","name":"uses"}],"used_by_count":1}
        bob: {"name":"KEY","owner":"ann","set_at":"2026-11-21T08:00:00Z","shared_with":["bob"],"used_by":[],"used_by_count":1}
        bob: {"name":"OTHER","owner":"bob","set_at":"2026-11-21T08:00:00Z","shared_with":[],"used_by":[],"used_by_count":0}
        root: {"name":"KEY","owner":"ann","set_at":"2026-11-21T08:00:00Z","shared_with":["bob"],"used_by":[{"id":"a37b187f7b52","name":"uses"}],"used_by_count":1}
        root: {"name":"OTHER","owner":"bob","set_at":"2026-11-21T08:00:00Z","shared_with":[],"used_by":[],"used_by_count":0}
    "#]].assert_eq(&log);
    let first = bed.get(&root(), "/api/v1/secrets?limit=1").await.json();
    let next = first["next"].as_str().unwrap();
    let rest = bed
        .get(&root(), &format!("/api/v1/secrets?after={next}"))
        .await
        .json();
    assert_eq!(rest["secrets"].as_array().unwrap().len(), 1);
    let bad = bed.get(&root(), "/api/v1/secrets?after=x").await;
    assert_eq!(bad.outcome(), "400 request/bad-query");
}

#[tokio::test]
async fn a_job_that_names_a_secret_which_is_not_there_is_refused_where_it_names_it() {
    let bed = TestBed::new();
    set(&bed, &ann(), "KEY").await;
    let text = job_file("uses", "  secrets: {KEY: env, TLS: file, NONE: env}\n");
    for query in ["", "&dry_run=true"] {
        let refused = bed.deploy(&ann(), query, &text).await;
        assert_eq!(refused.outcome(), "422 job/no-such-secret");
        let errors = refused.json()["errors"].clone();
        let underlined: Vec<_> = errors
            .as_array()
            .unwrap()
            .iter()
            .map(|error| {
                let at =
                    |place: usize| usize::try_from(error["span"][place].as_u64().unwrap()).unwrap();
                &text[at(0)..at(1)]
            })
            .collect();
        assert_eq!(underlined, ["NONE", "TLS"]);
    }
    set(&bed, &ann(), "NONE").await;
    set(&bed, &ann(), "TLS").await;
    assert_eq!(bed.deploy(&ann(), "", &text).await.outcome(), "201");
    let refused = bed
        .ask(&ann(), request("DELETE", "/api/v1/secrets/TLS"))
        .await;
    assert_eq!(refused.outcome(), "409 secret/in-use");
    let forced = request("DELETE", "/api/v1/secrets/TLS?force=true");
    assert_eq!(bed.ask(&ann(), forced).await.outcome(), "204");
}

#[tokio::test]
async fn a_value_has_bounds_and_a_short_one_a_warning() {
    let bed = TestBed::new();
    for (length, expected) in [
        (0, "422 secret/bad-value"),
        (65_536, "200"),
        (65_537, "422 secret/bad-value"),
        (1 << 20, "422 secret/bad-value"),
    ] {
        let answer = bed.ask(&ann(), put("KEY", vec![b'x'; length])).await;
        assert_eq!(answer.outcome(), expected, "{length}");
    }
    let short = bed.ask(&ann(), put("KEY", "12345")).await.json();
    assert_eq!(short["warnings"][0]["code"], "secret/not-masked");
    let json = Request::put("/api/v1/secrets/KEY")
        .header("content-type", "application/json")
        .body(VALUE.into())
        .unwrap();
    let answer = bed.ask(&ann(), json).await;
    assert_eq!(answer.outcome(), "415 request/unsupported-media-type");
}

#[tokio::test]
async fn a_node_without_its_key_and_a_server_of_one_user_say_so() {
    let bed = TestBed::new();
    *bed.backend.key_is_missing.lock().unwrap() = true;
    let answer = set(&bed, &ann(), "KEY").await;
    assert_eq!(answer.outcome(), "500 secret/key-missing");
    let of_ann = TestBed::of(Owner {
        user: "ann".to_owned(),
        uid: 1000,
    });
    let answer = set(&of_ann, &bob(), "KEY").await;
    assert_eq!(answer.outcome(), "403 auth/not-root");
    assert_eq!(set(&of_ann, &ann(), "KEY").await.outcome(), "200");
}
