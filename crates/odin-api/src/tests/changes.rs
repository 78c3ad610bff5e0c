use axum::body::Body;
use axum::http::Request;
use expect_test::expect;
use jiff::{SignedDuration, Timestamp};
use odin_model::command::{Fire, FireItem};
use odin_model::{Command, Revision};

use crate::test_bed::{TestBed, ann, job_file, json_request, request};

#[tokio::test]
async fn a_job_lives_through_edits_pauses_and_its_removal() {
    let bed = TestBed::new();
    let id = bed.job_of_ann().await;
    let job = format!("/api/v1/jobs/{id}");
    let mut log = String::new();
    for (method, path, body) in [
        ("PATCH", "", r#"{"schedule":"every day at 10:00"}"#),
        ("PATCH", "", r#"{"name":"hail","description":"Says hello"}"#),
        ("PATCH", "", "{}"),
        ("PATCH", "", r#"{"schedule":"every dya"}"#),
        ("PATCH", "", r#"{"name":"../x"}"#),
        ("PATCH", "", r#"{"description":"\u001b[31m"}"#),
        ("PATCH", "", r#"{"owner":"root"}"#),
        ("POST", "/pause", ""),
        ("POST", "/pause", ""),
        (
            "PATCH",
            "",
            r#"{"schedule":"every day at 11:00 in Europe/Dublin"}"#,
        ),
        ("POST", "/resume", ""),
        ("POST", "/run", ""),
        ("DELETE", "", ""),
        ("DELETE", "", ""),
        ("POST", "/run", ""),
        ("GET", "", ""),
    ] {
        let path = format!("{job}{path}");
        let request = match body {
            "" => request(method, &path),
            body => json_request(method, &path, body),
        };
        let answer = bed.ask(&ann(), request).await;
        log += &format!(
            "{method} {} {body}: {}",
            path.replace(&job, "JOB"),
            answer.outcome()
        );
        if answer.status.is_success() && !answer.body.is_empty() {
            let json = answer.json();
            for key in ["name", "state", "version", "next_due", "timezone"] {
                if let Some(value) = json.get(key) {
                    log += &format!(" {key}={value}");
                }
            }
        }
        log.push('\n');
    }
    expect![[r#"
        PATCH JOB {"schedule":"every day at 10:00"}: 200 name="greet" state="enabled" version=2 next_due="2026-11-21T10:00:00Z" timezone="UTC"
        PATCH JOB {"name":"hail","description":"Says hello"}: 200 name="hail" state="enabled" version=3 next_due="2026-11-21T10:00:00Z" timezone="UTC"
        PATCH JOB {}: 400 request/bad-body
        PATCH JOB {"schedule":"every dya"}: 422 schedule/unknown-word
        PATCH JOB {"name":"../x"}: 422 job/bad-name
        PATCH JOB {"description":"\u001b[31m"}: 422 job/bad-description
        PATCH JOB {"owner":"root"}: 400 request/bad-body
        POST JOB/pause : 200 name="hail" state="paused" version=3 next_due=null timezone="UTC"
        POST JOB/pause : 409 job/already
        PATCH JOB {"schedule":"every day at 11:00 in Europe/Dublin"}: 200 name="hail" state="paused" version=4 next_due=null timezone="Europe/Dublin"
        POST JOB/resume : 200 name="hail" state="enabled" version=4 next_due="2026-11-21T11:00:00Z" timezone="Europe/Dublin"
        POST JOB/run : 201 state="assigned" version=4
        DELETE JOB : 200 name="hail" state="removed"
        DELETE JOB : 404 job/not-found
        POST JOB/run : 404 job/not-found
        GET JOB : 200 name="hail" state="removed" version=4 next_due=null timezone="Europe/Dublin"
    "#]].assert_eq(&log);
}

#[tokio::test]
async fn if_match_changes_only_what_was_seen() {
    let bed = TestBed::new();
    let id = bed.job_of_ann().await;
    let path = format!("/api/v1/jobs/{id}");
    let tag = bed.get(&ann(), &path).await.headers["etag"]
        .to_str()
        .unwrap()
        .to_owned();
    let with = |mut request: Request<Body>, tag: &str| {
        request
            .headers_mut()
            .insert("if-match", tag.parse().unwrap());
        request
    };
    let edit = || json_request("PATCH", &path, r#"{"description":"x"}"#);
    let (pause, resume) = (format!("{path}/pause"), format!("{path}/resume"));
    for (request, expected) in [
        (with(edit(), &tag), "200"),
        (with(edit(), &tag), "412 job/conflict"),
        (with(edit(), "nonsense"), "412 job/conflict"),
        (with(edit(), "*"), "200"),
        (with(request("POST", &pause), &tag), "412 job/conflict"),
        (with(request("POST", &resume), &tag), "412 job/conflict"),
        (with(request("POST", &pause), "*"), "200"),
        (with(request("POST", &resume), "*"), "200"),
        (with(request("DELETE", &path), &tag), "412 job/conflict"),
        (with(request("DELETE", &path), "*"), "200"),
    ] {
        assert_eq!(bed.ask(&ann(), request).await.outcome(), expected);
    }
}

#[tokio::test]
async fn an_occurrence_decided_in_between_makes_the_due_time_be_computed_again() {
    let bed = TestBed::new();
    let id = bed.job_of_ann().await;
    let due: Timestamp = "2026-11-21T09:00:00Z".parse().unwrap();
    let fire = Command::Fire(Fire {
        items: vec![FireItem {
            job: id.parse().unwrap(),
            revision: Revision(2),
            due,
            earlier: None,
            listed: vec![due],
            next_due: Some(due + SignedDuration::from_hours(24)),
            node: None,
            calendars: 0,
        }],
        // Decided ahead of its due instant, as the leader does.
        proposed_at: due - SignedDuration::from_secs(4),
    });
    bed.backend.advance(SignedDuration::from_secs(3597));
    bed.backend.first.lock().unwrap().push_back(fire);
    let edit = json_request(
        "PATCH",
        &format!("/api/v1/jobs/{id}"),
        r#"{"schedule":"every minute"}"#,
    );
    let answer = bed.ask(&ann(), edit).await;
    assert_eq!(answer.outcome(), "200");
    assert_eq!(answer.json()["next_due"], "2026-11-21T09:01:00Z");
    assert_eq!(answer.json()["decided"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_job_that_comes_due_faster_than_it_can_be_changed_is_refused_in_the_end() {
    let bed = TestBed::new();
    let id = bed.job_of_ann().await;
    let day = SignedDuration::from_hours(24);
    let mut due: Timestamp = "2026-11-21T09:00:00Z".parse().unwrap();
    for _ in 0..10 {
        let item = FireItem {
            job: id.parse().unwrap(),
            revision: Revision(2),
            due,
            earlier: None,
            listed: vec![due],
            next_due: Some(due + day),
            node: None,
            calendars: 0,
        };
        bed.backend
            .first
            .lock()
            .unwrap()
            .push_back(Command::Fire(Fire {
                items: vec![item],
                proposed_at: due,
            }));
        due += day;
    }
    let edit = json_request(
        "PATCH",
        &format!("/api/v1/jobs/{id}"),
        r#"{"schedule":"every minute"}"#,
    );
    assert_eq!(
        bed.ask(&ann(), edit).await.outcome(),
        "409 job/due-out-of-date"
    );
}

#[tokio::test]
async fn versions_are_listed_newest_first_in_pages() {
    let bed = TestBed::new();
    for text in [
        "every day at 09:00",
        "every day at 10:00",
        "every day at 11:00 in Europe/Dublin",
    ] {
        bed.deploy(
            &ann(),
            "",
            &job_file("greet", "").replace("every day at 09:00", text),
        )
        .await;
    }
    let id = bed.get(&ann(), "/api/v1/jobs?name=greet").await.json()["jobs"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let mut seen = Vec::new();
    let mut after = String::new();
    loop {
        let page = bed
            .get(
                &ann(),
                &format!("/api/v1/jobs/{id}/versions?limit=1{after}"),
            )
            .await
            .json();
        for version in page["versions"].as_array().unwrap() {
            seen.push(format!(
                "{} {} {} {}",
                version["version"], version["by"], version["schedule"], version["timezone"]
            ));
        }
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    expect![[r#"
        3 "ann" "every day at 11:00 in Europe/Dublin" "Europe/Dublin"
        2 "ann" "every day at 10:00" "UTC"
        1 "ann" "every day at 09:00" "UTC""#]]
    .assert_eq(&seen.join("\n"));
}
