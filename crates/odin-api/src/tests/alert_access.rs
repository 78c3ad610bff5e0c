//! Who may see and change what tells people, and what goes to other systems.

use odin_model::alert::{AlertChange, AlertKey, Raised, Subject};
use odin_model::owner::Role;
use odin_model::{AlertKind, Clock, Command, JobId, Reply};

use crate::test_bed::{TestBed, ann, bob, json_request, principal, request, root};

const MISSING: &str = "404 alert/not-found";
const NO_SILENCE: &str = "404 silence/not-found";
const FORBIDDEN: &str = "403 request/role-needed";
const WEBHOOK: &str =
    r#"{"target":{"kind":"webhook","url":"https://hooks.example.org/T0K3N"},"server_alerts":true}"#;
const SINK: &str =
    r#"{"target":{"kind":"remote-write","url":"https://metrics.example.org/write"}}"#;

/// The alert `a1` of Ann's job and `a2` of no job, the channel `ops`, the sink `prom`; and the job.
async fn bed() -> (TestBed, String) {
    let bed = TestBed::new();
    for (path, body) in [("channels/ops", WEBHOOK), ("sinks/prom", SINK)] {
        let request = json_request("PUT", &format!("/api/v1/{path}"), body);
        assert_eq!(bed.ask(&root(), request).await.outcome(), "200");
    }
    let job = bed.job_of_ann().await;
    let id: JobId = job.parse().unwrap();
    for key in [
        AlertKey::new(AlertKind::LedgerGap, Subject::Job(id)),
        AlertKey::new(AlertKind::LoopStuck, Subject::Cluster),
    ] {
        let raised = Raised {
            key,
            run: None,
            text: "something is wrong".to_owned(),
        };
        let change = AlertChange::Raise {
            alerts: vec![raised],
            at: bed.backend.wall(),
        };
        let reply = bed.backend.apply(&Command::Alert(Box::new(change)));
        assert_eq!(reply, Reply::Done);
    }
    (bed, job)
}

/// What each of four people gets: another operator, the owner as a mere viewer, an admin, and the owner; in this order.
#[tokio::test]
async fn alerts_are_their_jobs_owners_and_channels_and_sinks_are_the_admins() {
    let (bed, job) = bed().await;
    let viewer = principal("ann", 1000, Role::Viewer);
    let of_job = r#"{"job":"{job}","reason":"known","seconds":3600}"#;
    let of_all = r#"{"reason":"known","seconds":3600}"#;
    let of_channel = r#"{"channel":"ops","reason":"known","seconds":3600}"#;
    let noted = r#"{"reason":"on it"}"#;
    let admins = [FORBIDDEN, FORBIDDEN, "200", FORBIDDEN];
    for (method, path, body, expected) in [
        ("GET", "/alerts", "", ["200", "200", "200", "200"]),
        ("GET", "/alerts/a1", "", [MISSING, "200", "200", "200"]),
        ("GET", "/alerts/a2", "", [MISSING, MISSING, "200", MISSING]),
        (
            "POST",
            "/alerts/a1/acknowledge",
            noted,
            [MISSING, FORBIDDEN, "200", "200"],
        ),
        (
            "POST",
            "/alerts/a2/acknowledge",
            noted,
            [MISSING, MISSING, "200", MISSING],
        ),
        // The silences 1, of an admin's, and 2.
        (
            "POST",
            "/silences",
            of_job,
            ["404 job/not-found", FORBIDDEN, "201", "201"],
        ),
        // 3 and 4.
        (
            "POST",
            "/silences",
            of_all,
            [FORBIDDEN, FORBIDDEN, "201", FORBIDDEN],
        ),
        (
            "POST",
            "/silences",
            of_channel,
            [FORBIDDEN, FORBIDDEN, "201", FORBIDDEN],
        ),
        (
            "DELETE",
            "/silences/3",
            "",
            [NO_SILENCE, FORBIDDEN, "204", NO_SILENCE],
        ),
        // An owner may end what somebody else made of their job, and an admin what anybody made.
        (
            "DELETE",
            "/silences/1",
            "",
            [NO_SILENCE, FORBIDDEN, "", "204"],
        ),
        (
            "DELETE",
            "/silences/2",
            "",
            [NO_SILENCE, FORBIDDEN, "204", NO_SILENCE],
        ),
        ("GET", "/channels", "", ["200", "200", "200", "200"]),
        ("PUT", "/channels/pager", WEBHOOK, admins),
        ("POST", "/channels/ops/test", "", admins),
        (
            "POST",
            "/channels/none/test",
            "",
            [FORBIDDEN, FORBIDDEN, "404 channel/not-found", FORBIDDEN],
        ),
        ("GET", "/channels/ops/deliveries", "", admins),
        (
            "DELETE",
            "/channels/pager",
            "",
            [FORBIDDEN, FORBIDDEN, "204", FORBIDDEN],
        ),
        ("GET", "/sinks", "", admins),
        ("GET", "/sinks/prom", "", admins),
        ("PUT", "/sinks/more", SINK, admins),
        ("POST", "/sinks/prom/test", "", admins),
        (
            "GET",
            "/sinks/none",
            "",
            [FORBIDDEN, FORBIDDEN, "404 sink/not-found", FORBIDDEN],
        ),
        (
            "DELETE",
            "/sinks/more",
            "",
            [FORBIDDEN, FORBIDDEN, "204", FORBIDDEN],
        ),
    ] {
        let path = format!("/api/v1{path}");
        let people = [bob(), viewer.clone(), root(), ann()];
        for (who, expected) in people.iter().zip(expected) {
            if expected.is_empty() {
                continue;
            }
            let request = match body {
                "" => request(method, &path),
                body => json_request(method, &path, &body.replace("{job}", &job)),
            };
            let answer = bed.ask(who, request).await;
            assert_eq!(answer.outcome(), expected, "{method} {path} by {who:?}");
        }
    }
}

#[tokio::test]
async fn lists_hold_the_alerts_and_silences_that_the_asker_may_see() {
    let (bed, job) = bed().await;
    for (who, scope) in [
        (root(), String::new()),
        (root(), format!(r#""job":"{job}","#)),
        (ann(), format!(r#""job":"{job}","#)),
    ] {
        let body = format!(r#"{{{scope}"reason":"known","seconds":3600}}"#);
        let answer = bed.ask(&who, json_request("POST", "/api/v1/silences", &body));
        assert_eq!(answer.await.outcome(), "201");
    }
    let viewer = principal("ann", 1000, Role::Viewer);
    for (who, alerts, silences) in [
        (bob(), vec![], vec![]),
        (ann(), vec!["a1"], vec![2, 3]),
        (viewer, vec!["a1"], vec![2, 3]),
        (root(), vec!["a2", "a1"], vec![1, 2, 3]),
    ] {
        let list = bed.get(&who, "/api/v1/alerts").await.json();
        let found: Vec<_> = list["alerts"].as_array().unwrap().iter().collect();
        let found: Vec<_> = found.iter().map(|it| it["id"].as_str().unwrap()).collect();
        assert_eq!(found, alerts, "{who:?}");
        // Another's job is no way around it.
        let list = bed.get(&who, &format!("/api/v1/alerts?job={job}")).await;
        let count = list.json()["alerts"].as_array().unwrap().len();
        assert_eq!(count, usize::from(alerts.contains(&"a1")), "{who:?}");
        let list = bed.get(&who, "/api/v1/silences").await.json();
        let found = list["silences"].as_array().unwrap().iter();
        let found: Vec<_> = found.map(|it| it["id"].as_u64().unwrap()).collect();
        assert_eq!(found, silences, "{who:?}");
    }
}

#[tokio::test]
async fn a_channels_address_is_for_admins_and_its_name_for_all() {
    let (bed, _) = bed().await;
    for (who, url) in [(ann(), ""), (root(), "https://hooks.example.org/T0K3N")] {
        let answer = bed.get(&who, "/api/v1/channels").await;
        let list = answer.json();
        assert_eq!(list["channels"][0]["name"], "ops");
        assert_eq!(list["channels"][0]["target"]["kind"], "webhook");
        assert_eq!(list["channels"][0]["target"]["url"], url);
        let shows_it = String::from_utf8_lossy(&answer.body).contains("T0K3N");
        assert_eq!(shows_it, !url.is_empty());
    }
}
