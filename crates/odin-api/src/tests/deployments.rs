use expect_test::expect;
use odin_model::Owner;
use serde_json::Value;

use crate::ProposeError;
use crate::test_bed::{TestBed, ann, bob, deployment, job_file, packed, request, root};

#[tokio::test]
async fn a_new_job_is_answered_in_full() {
    let bed = TestBed::new();
    let answer = bed
        .deploy(
            &ann(),
            "",
            &job_file("greet", "  timezone: Europe/Dublin\n"),
        )
        .await;
    assert_eq!(answer.outcome(), "201");
    assert_eq!(answer.headers["etag"], "\"2\"");
    expect![[r#"
        {
          "created_at": "2026-11-21T08:00:00Z",
          "deployed_at": "2026-11-21T08:00:00Z",
          "description": "",
          "file": "run.sh",
          "id": "a37b187f7b52",
          "language": "bash",
          "last_outcome": null,
          "last_reason": null,
          "last_run": null,
          "links": [],
          "name": "greet",
          "next_due": "2026-11-21T09:00:00Z",
          "owner": "ann",
          "quarantined": null,
          "revision": 2,
          "schedule": "every day at 09:00",
          "settings": {
            "args": [],
            "bundle": "65b36935b17cbb37278bc098c5b64e5670e081ae9e42ae41303afe74606fe9b8",
            "children": "end",
            "command": null,
            "concurrency": "allow",
            "concurrency_max": null,
            "concurrency_waiting": null,
            "dst_gap": "shift",
            "dst_repeat": "first",
            "env": [],
            "expect_values": [],
            "files": [],
            "grace_ms": 60000,
            "keep_days": 90,
            "keep_output_bytes": 52428800,
            "keep_runs": 1000,
            "keep_values_bytes": 10485760,
            "kill_grace_ms": 10000,
            "late_after_ms": null,
            "limits": {
              "best_effort": false,
              "cpu_millis": null,
              "memory_bytes": null,
              "open_files": null,
              "processes": null
            },
            "lost_after_ms": 300000,
            "max_duration_ms": null,
            "min_duration_ms": null,
            "missed": "once",
            "missed_limit": null,
            "notify": null,
            "on_cancel": null,
            "on_lost": "fail",
            "output_bytes_max": 10485760,
            "owner_gid": 1000,
            "owner_uid": 1000,
            "priority": 0,
            "queue_timeout_ms": null,
            "retries": {
              "backoff": "exponential",
              "delay_ms": 10000,
              "exit_codes": [],
              "max": 0,
              "max_delay_ms": 300000,
              "on": [
                "failed",
                "signalled",
                "timed_out",
                "out_of_memory",
                "not_startable"
              ]
            },
            "secrets": [],
            "silence_timeout_ms": null,
            "start_timeout_ms": null,
            "timeout_ms": null,
            "timezone": "Europe/Dublin"
          },
          "state": "enabled",
          "successors": [],
          "timezone": "Europe/Dublin",
          "version": 1
        }"#]]
    .assert_eq(&serde_json::to_string_pretty(&answer.json()).unwrap());
}

#[tokio::test]
async fn the_same_name_again_is_a_new_version_and_another_owners_is_another_job() {
    let bed = TestBed::new();
    let first = bed.deploy(&ann(), "", &job_file("greet", "")).await;
    let second = bed.deploy(&ann(), "", &job_file("greet", "")).await;
    assert_eq!(second.outcome(), "200");
    assert_eq!(second.json()["version"], 2);
    assert_eq!(second.json()["id"], first.json()["id"]);
    let other = bed.deploy(&bob(), "", &job_file("greet", "")).await;
    assert_eq!(other.outcome(), "201");
    assert_ne!(other.json()["id"], first.json()["id"]);
}

#[tokio::test]
async fn a_dry_run_shows_the_job_and_stores_nothing() {
    let bed = TestBed::new();
    let answer = bed
        .deploy(&ann(), "&dry_run=true", &job_file("greet", ""))
        .await;
    assert_eq!(
        (answer.outcome().as_str(), &answer.json()["next_due"]),
        ("200", &"2026-11-21T09:00:00Z".into())
    );
    let list = bed.get(&ann(), "/api/v1/jobs").await.json();
    expect![[r#"{"jobs":[],"next":null}"#]].assert_eq(&list.to_string());
    assert_eq!(
        std::fs::read_dir(bed.dir.path().join("bundles"))
            .unwrap()
            .count(),
        0
    );

    let id = bed.job_of_ann().await;
    let with_id = job_file("other", &format!("  id: {id}\n"));
    let taken = bed.deploy(&bob(), "&dry_run=true", &with_id).await;
    assert_eq!(taken.outcome(), "409 job/id-taken");
    let renamed = bed.deploy(&ann(), "&dry_run=true", &with_id).await.json();
    assert_eq!(
        (&renamed["name"], &renamed["version"]),
        (&"other".into(), &2.into())
    );
    let stale = bed
        .deploy(&ann(), "&dry_run=true&expected_revision=1", &with_id)
        .await;
    assert_eq!(stale.outcome(), "412 job/conflict");
}

#[tokio::test]
async fn all_mistakes_of_a_file_come_with_their_places() {
    let bed = TestBed::new();
    // A client that does not check: the file is swapped after it was packed.
    let good = job_file("greet", "");
    let text = good
        .replace("every day at", "every dya at")
        .replace("language", "langauge");
    assert_eq!(good.len(), text.len());
    let answer = bed
        .ask(&ann(), deployment("", repacked(&good, &text)))
        .await;
    assert_eq!(answer.status, 422);
    let problem = answer.json();
    let found: Vec<_> = problem["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| {
            format!(
                "{} {}:{} {}",
                error["code"], error["line"], error["column"], error["source_line"]
            )
        })
        .collect();
    expect![[r#"
        "file/missing" 1:1 "job:"
        "file/unknown-key" 3:3 "  langauge: bash"
        "schedule/unknown-word" 5:19 "  schedule: every dya at 09:00""#]]
    .assert_eq(&found.join("\n"));
    assert_eq!(problem["code"], problem["errors"][0]["code"]);
    assert_eq!(
        std::fs::read_dir(bed.dir.path().join("bundles"))
            .unwrap()
            .count(),
        0
    );
}

/// A bundle of `good` whose job file has another text of the same length. The archive stays canonical.
fn repacked(good: &str, text: &str) -> Vec<u8> {
    let mut tar = zstd_decoded(&packed(good));
    let at = tar
        .windows(good.len())
        .position(|window| window == good.as_bytes())
        .unwrap();
    tar[at..at + good.len()].copy_from_slice(text.as_bytes());
    zstd_encoded(&tar)
}

fn zstd_decoded(bytes: &[u8]) -> Vec<u8> {
    zstd::decode_all(bytes).unwrap()
}

fn zstd_encoded(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 3).unwrap()
}

#[tokio::test]
async fn warnings_tell_of_a_missing_interpreter_and_of_surprising_schedules() {
    let bed = TestBed::new();
    let text = job_file("greet", "")
        .replace("language: bash", "language: node")
        .replace("run.sh", "run.js")
        .replace("every day", "every 31st");
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("job.yml"), &text).unwrap();
    std::fs::write(dir.path().join("run.js"), "").unwrap();
    let file = odin_job_file::read(&text, &odin_job_file::Defaults::default()).unwrap();
    let bundle =
        odin_job_file::bundle::collect(&dir.path().join("job.yml"), &file, Vec::new()).unwrap();
    let answer = bed
        .ask(&ann(), deployment("", bundle.pack().unwrap().bytes))
        .await;
    let codes: Vec<_> = answer.json()["warnings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["code"].clone())
        .collect();
    assert_eq!(
        codes,
        ["schedule/skips-short-months", "job/interpreter-missing"].map(Value::from)
    );
}

#[tokio::test]
async fn a_hidden_job_needs_no_schedule_and_is_not_listed() {
    let bed = TestBed::new();
    let bundle = packed(&job_file("greet", ""));
    let answer = bed.ask(&ann(), deployment("&hidden=true", bundle)).await;
    assert_eq!(answer.outcome(), "201");
    let id = answer.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(
        bed.get(&ann(), "/api/v1/jobs").await.json()["jobs"],
        Value::Array(Vec::new())
    );
    assert_eq!(
        bed.get(&ann(), &format!("/api/v1/jobs/{id}"))
            .await
            .outcome(),
        "200"
    );
}

#[tokio::test]
async fn a_server_that_is_not_root_takes_its_own_users_jobs_only() {
    let bed = TestBed::of(Owner {
        user: "ann".into(),
        uid: 1000,
    });
    for (who, expected) in [
        (ann(), "201"),
        (bob(), "403 auth/not-root"),
        (root(), "403 auth/not-root"),
    ] {
        let answer = bed.deploy(&who, "", &job_file(&who.user.user, "")).await;
        assert_eq!(answer.outcome(), expected, "{}", who.user.user);
    }
    // A new job is told that it is alone with its neighbours; a new version knows.
    for (name, codes) in [("other", 1), ("other", 0)] {
        let answer = bed.deploy(&ann(), "", &job_file(name, "")).await.json();
        let warnings = answer["warnings"].as_array().cloned().unwrap_or_default();
        let told = |warning: &&Value| warning["code"] == "job/not-separated";
        assert_eq!(warnings.iter().filter(told).count(), codes, "{answer}");
    }
}

#[tokio::test]
async fn a_key_makes_a_deployment_count_once() {
    let bed = TestBed::new();
    let keyed = |text: &str, key: &str| {
        let mut request = deployment("", packed(text));
        request
            .headers_mut()
            .insert("idempotency-key", key.parse().unwrap());
        request
    };
    let (greet, other) = (job_file("greet", ""), job_file("other", ""));
    for (text, key, expected) in [
        (&greet, "k1", "201"),
        (&greet, "k1", "201"),
        (&other, "k1", "422 request/key-reused"),
        (&greet, "k2", "200"),
        (&greet, "", "400 request/bad-key"),
        (&greet, "a b", "400 request/bad-key"),
    ] {
        assert_eq!(
            bed.ask(&ann(), keyed(text, key)).await.outcome(),
            expected,
            "{key}"
        );
    }
    assert_eq!(
        bed.get(&ann(), "/api/v1/jobs").await.json()["jobs"][0]["version"],
        2
    );
    // Keys of others are others' keys.
    assert_eq!(bed.ask(&bob(), keyed(&other, "k1")).await.outcome(), "201");
}

#[tokio::test(start_paused = true)]
async fn without_a_leader_a_change_waits_and_then_says_so() {
    let bed = TestBed::new();
    let id = bed.job_of_ann().await;
    let pause = || request("POST", &format!("/api/v1/jobs/{id}/pause"));
    bed.backend
        .faults
        .lock()
        .unwrap()
        .extend([ProposeError::NoLeader, ProposeError::NoLeader]);
    assert_eq!(bed.ask(&ann(), pause()).await.outcome(), "200");
    bed.backend
        .faults
        .lock()
        .unwrap()
        .extend(std::iter::repeat_n(ProposeError::NoLeader, 1000));
    assert_eq!(
        bed.ask(&ann(), pause()).await.outcome(),
        "503 cluster/no-leader"
    );
}

#[tokio::test]
async fn what_the_log_cannot_take_is_told_apart() {
    let bed = TestBed::new();
    let id = bed.job_of_ann().await;
    for (fault, expected) in [
        (ProposeError::Full, "507 storage/full"),
        (
            ProposeError::TooLarge {
                bytes: 2,
                bytes_max: 1,
            },
            "422 cluster/command-too-large",
        ),
        (ProposeError::OutcomeUnknown, "503 cluster/outcome-unknown"),
        (ProposeError::Stopped, "503 server/stopping"),
    ] {
        bed.backend.faults.lock().unwrap().push_back(fault);
        let answer = bed
            .ask(&ann(), request("POST", &format!("/api/v1/jobs/{id}/run")))
            .await;
        assert_eq!(answer.outcome(), expected);
    }
}

#[tokio::test]
async fn a_refused_deployment_leaves_no_bundle_and_a_repeated_one_gets_its_first_reply() {
    let bed = TestBed::new();
    let id = bed.job_of_ann().await;
    bed.deploy(&ann(), "", &job_file("other", "")).await;
    let bundles = || {
        std::fs::read_dir(bed.dir.path().join("bundles"))
            .unwrap()
            .count()
    };
    let before = bundles();
    let renamed = job_file("other", &format!("  id: {id}\n"));
    assert_eq!(
        bed.deploy(&ann(), "", &renamed).await.outcome(),
        "409 job/name-taken"
    );
    let foreign = job_file("mine", &format!("  id: {id}\n"));
    assert_eq!(
        bed.deploy(&bob(), "", &foreign).await.outcome(),
        "409 job/id-taken"
    );
    assert_eq!(bundles(), before);

    let again = || {
        let mut request = deployment("&expected_revision=2", packed(&job_file("greet", "")));
        request
            .headers_mut()
            .insert("idempotency-key", "k".parse().unwrap());
        request
    };
    for _ in 0..2 {
        let answer = bed.ask(&ann(), again()).await;
        assert_eq!(
            (answer.outcome().as_str(), &answer.json()["version"]),
            ("200", &2.into())
        );
    }
    let stale = bed
        .deploy(&ann(), "&expected_revision=2", &job_file("greet", ""))
        .await;
    assert_eq!(stale.outcome(), "412 job/conflict");
}
