use odin_model::owner::Role;

use crate::test_bed::{TestBed, ann, bob, job_file, json_request, principal, request, root};

/// What each of four people gets: the owner, another operator, the owner as a mere viewer, and an admin.
#[tokio::test]
async fn a_job_is_its_owners_and_the_admins() {
    const MISSING: &str = "404 job/not-found";
    const NO_RUN: &str = "404 run/not-found";
    const FORBIDDEN: &str = "403 job/not-permitted";
    let bed = TestBed::new();
    let job = bed.job_of_ann().await;
    let run = bed.run_of(&ann(), &job).await;
    let viewer = principal("ann", 1000, Role::Viewer);
    // Changes last, and those that end something at the very end; admins before owners where that matters not.
    for (method, path, body, others, viewers, admins, owners) in [
        ("GET", "/jobs/{job}", "", MISSING, "200", "200", "200"),
        ("GET", "/jobs/{job}/runs", "", MISSING, "200", "200", "200"),
        (
            "GET",
            "/jobs/{job}/versions",
            "",
            MISSING,
            "200",
            "200",
            "200",
        ),
        (
            "GET",
            "/jobs/{job}/bundle",
            "",
            MISSING,
            "200",
            "200",
            "200",
        ),
        ("GET", "/ledger?job={job}", "", MISSING, "200", "200", "200"),
        ("GET", "/runs/{run}", "", NO_RUN, "200", "200", "200"),
        ("GET", "/runs/{run}/output", "", NO_RUN, "200", "200", "200"),
        ("GET", "/runs/{run}/output?follow=1", "", NO_RUN, "", "", ""),
        (
            "GET",
            "/jobs/{job}/values",
            "",
            MISSING,
            "200",
            "200",
            "200",
        ),
        (
            "GET",
            "/jobs/{job}/values?name=n",
            "",
            MISSING,
            "200",
            "200",
            "200",
        ),
        (
            "GET",
            "/jobs/{job}/values?name=n&points=9",
            "",
            MISSING,
            "200",
            "200",
            "200",
        ),
        ("GET", "/runs/{run}/values", "", NO_RUN, "200", "200", "200"),
        ("GET", "/events?job={job}", "", MISSING, "", "", ""),
        ("GET", "/events?run={run}", "", NO_RUN, "", "", ""),
        ("GET", "/jobs?after={job}", "", MISSING, "200", "200", "200"),
        (
            "PATCH",
            "/jobs/{job}",
            r#"{"description":"x"}"#,
            MISSING,
            FORBIDDEN,
            "200",
            "200",
        ),
        (
            "POST",
            "/jobs/{job}/run",
            "",
            MISSING,
            FORBIDDEN,
            "201",
            "201",
        ),
        (
            "POST",
            "/jobs/{job}/pause",
            "",
            MISSING,
            FORBIDDEN,
            "200",
            "409 job/already",
        ),
        (
            "POST",
            "/jobs/{job}/resume",
            "",
            MISSING,
            FORBIDDEN,
            "200",
            "409 job/already",
        ),
        (
            "POST",
            "/runs/{run}/cancel",
            "",
            NO_RUN,
            FORBIDDEN,
            "200",
            "200",
        ),
        (
            "DELETE",
            "/jobs/{job}",
            "",
            MISSING,
            FORBIDDEN,
            "200",
            MISSING,
        ),
    ] {
        let path = path
            .replace("{job}", &job)
            .replace("{run}", &run.to_string());
        let path = format!("/api/v1{path}");
        for (who, expected) in [
            (bob(), others),
            (viewer.clone(), viewers),
            (root(), admins),
            (ann(), owners),
        ] {
            if expected.is_empty() {
                continue;
            }
            let request = match body {
                "" => request(method, &path),
                body => json_request(method, &path, body),
            };
            let answer = bed.ask(&who, request).await;
            assert_eq!(answer.outcome(), expected, "{method} {path} by {who:?}");
        }
    }
}

#[tokio::test]
async fn lists_hold_what_the_asker_may_see() {
    let bed = TestBed::new();
    let of_ann = bed.job_of_ann().await;
    let answer = bed.deploy(&bob(), "", &job_file("greet", "")).await;
    let of_bob = answer.json()["id"].as_str().unwrap().to_owned();
    bed.run_of(&ann(), &of_ann).await;
    bed.run_of(&bob(), &of_bob).await;
    let both = vec![of_ann.clone(), of_bob.clone()];
    let newest_first = vec![of_bob.clone(), of_ann.clone()];
    for (who, path, expected) in [
        (ann(), "/jobs", vec![of_ann.clone()]),
        (bob(), "/jobs", vec![of_bob.clone()]),
        (root(), "/jobs", both.clone()),
        (root(), "/jobs?name=greet", both),
        (ann(), "/jobs?name=greet", vec![of_ann.clone()]),
        (ann(), "/jobs?name=..%2F", vec![]),
        (root(), "/jobs?owner=bob", vec![of_bob.clone()]),
        (root(), "/jobs?owner=nobody-here", vec![]),
        (ann(), "/jobs?owner=bob", vec![]),
        (root(), "/jobs?limit=1", vec![of_ann.clone()]),
        (root(), "/jobs?limit=1&after={ann}", vec![of_bob.clone()]),
        (root(), "/jobs?limit=2&after={bob}", vec![]),
        (ann(), "/runs", vec![of_ann.clone()]),
        (root(), "/runs", newest_first),
        (root(), "/runs?limit=1", vec![of_bob.clone()]),
    ] {
        let path = path.replace("{ann}", &of_ann).replace("{bob}", &of_bob);
        let list = bed.get(&who, &format!("/api/v1{path}")).await.json();
        let (plural, key) = if path.starts_with("/jobs") {
            ("jobs", "id")
        } else {
            ("runs", "job")
        };
        let found: Vec<_> = list[plural]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it[key].as_str().unwrap())
            .collect();
        assert_eq!(found, expected, "{path} by {}", who.user.user);
    }
}

#[tokio::test]
async fn counts_of_everybody_are_for_admins() {
    let bed = TestBed::new();
    bed.job_of_ann().await;
    for path in ["/metrics", "/api/v1/history"] {
        let answer = bed.get(&ann(), path).await;
        assert_eq!(answer.outcome(), "403 request/role-needed", "{path}");
    }
    let history = bed.get(&root(), "/api/v1/history").await.json();
    assert_eq!(history["faults"], serde_json::json!([]));
    let text = String::from_utf8(bed.get(&root(), "/metrics").await.body).unwrap();
    assert!(
        text.contains("\nodin_jobs 1\n") && text.contains("odin_http_requests_total{"),
        "{text}"
    );
}

#[tokio::test]
async fn a_viewer_deploys_nothing() {
    let bed = TestBed::new();
    let viewer = principal("ann", 1000, Role::Viewer);
    let answer = bed.deploy(&viewer, "", &job_file("greet", "")).await;
    assert_eq!(answer.outcome(), "403 request/role-needed");
}
