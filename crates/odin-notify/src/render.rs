//! What a message says: as a subject and text for people, and as JSON for programs.

use std::fmt::Write;

use odin_model::alert::{AlertEvent, EventKind};
use odin_model::delivery::Message;
use serde_json::{Value, json};

/// The longest subject, in characters.
const SUBJECT_CHARS_MAX: usize = 150;

/// One line.
#[must_use]
pub fn subject(message: &Message) -> String {
    let line = match (message.events.as_slice(), message.more) {
        ([], _) => "alerts".to_owned(),
        ([event], 0) => format!("{}{}", mark(event), event.text),
        (events, more) => {
            let count = events.len() as u64 + more;
            let first = &events[0];
            format!("{count} alerts, first: {}{}", mark(first), first.text)
        }
    };
    let line = one_line(&line);
    match line.char_indices().nth(SUBJECT_CHARS_MAX) {
        Some((end, _)) => format!("[odin] {}…", &line[..end]),
        None => format!("[odin] {line}"),
    }
}

/// A text without what would begin another line, or tell a terminal something: programs choose the names in it.
pub(crate) fn one_line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut line = words.join(" ");
    line.retain(|c| !c.is_control());
    line
}

fn mark(event: &AlertEvent) -> &'static str {
    match event.event {
        EventKind::Opened => "",
        EventKind::Repeated => "still: ",
        EventKind::Resolved => "resolved: ",
        EventKind::Test => "test: ",
    }
}

/// Plain text, a paragraph for each alert.
#[must_use]
pub fn text(message: &Message) -> String {
    let mut text = String::new();
    for event in &message.events {
        let _ = writeln!(text, "{}{}", mark(event), one_line(&event.text));
        let _ = write!(text, "  {}, {}", event.kind.word(), event.at);
        if event.count > 1 {
            let _ = write!(text, ", {} times", event.count);
        }
        text.push('\n');
        if let Some((id, name)) = &event.job {
            let _ = writeln!(text, "  job {name} ({id})");
        }
        if let Some(run) = event.run {
            let _ = writeln!(text, "  its output: odin log -i {run}");
        }
        if event.event != EventKind::Resolved && event.event != EventKind::Test {
            let id = event.alert;
            let _ = writeln!(
                text,
                "  to hear no more of it: odin alerts ack {id} --reason \"…\""
            );
        }
        text.push('\n');
    }
    if message.more > 0 {
        let _ = writeln!(
            text,
            "{} more alerts are listed by `odin alerts`.",
            message.more
        );
    }
    text
}

/// The JSON of a webhook, the same at every attempt.
#[must_use]
pub fn payload(message: &Message) -> Value {
    let alerts: Vec<Value> = message.events.iter().map(event).collect();
    json!({
        "type": "odin.alerts",
        "timestamp": message.made_at.to_string(),
        // Chat services that take incoming webhooks show this member.
        "text": format!("{}\n{}", subject(message), text(message)),
        "data": {
            "id": message.id.to_string(),
            "channel": message.channel.as_str(),
            "alerts": alerts,
            "more": message.more,
        },
    })
}

fn event(event: &AlertEvent) -> Value {
    json!({
        "alert": event.alert.to_string(),
        "kind": event.kind.word(),
        "event": event.event.word(),
        "at": event.at.to_string(),
        "job": event.job.as_ref().map(|(id, _)| id.to_string()),
        "job_name": event.job.as_ref().map(|(_, name)| name.as_str()),
        "owner": event.owner,
        "node": event.node,
        "run": event.run.map(|run| run.to_string()),
        "count": event.count,
        "text": event.text,
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use expect_test::expect;
    use odin_model::alert::{AlertId, AlertKind};
    use odin_model::delivery::{DeliveryId, MessageId};
    use odin_model::{ChannelName, JobId, JobName, RunId};

    pub(crate) fn message(events: Vec<AlertEvent>, more: u64) -> Message {
        Message {
            id: MessageId {
                token: 0xabcd,
                generation: 1,
                delivery: DeliveryId(17),
            },
            channel: ChannelName::parse("ops").unwrap(),
            made_at: "2026-11-22T05:00:00Z".parse().unwrap(),
            events,
            more,
            settled: Vec::new(),
        }
    }

    pub(crate) fn failure(kind: EventKind, text: &str) -> AlertEvent {
        AlertEvent {
            alert: AlertId(3),
            kind: AlertKind::Failure,
            event: kind,
            at: "2026-11-22T05:00:00Z".parse().unwrap(),
            job: Some((
                JobId::from_bits(0xa37b_187f_5930),
                JobName::parse("nightly").unwrap(),
            )),
            owner: Some("ann".to_owned()),
            node: None,
            run: Some(RunId::new(1, 48, 2)),
            count: 2,
            text: text.to_owned(),
        }
    }

    #[test]
    fn one_alert_is_the_subject_and_several_are_counted() {
        let opened = failure(EventKind::Opened, "`nightly` failed:\r\n exit code 3");
        let resolved = failure(EventKind::Resolved, "`nightly` succeeded after a failure");
        let long = failure(EventKind::Opened, &"ä".repeat(200));
        let check = |events: &[&AlertEvent], more, expected: &str| {
            let events = events.iter().map(|&event| event.clone()).collect();
            assert_eq!(subject(&message(events, more)), expected);
        };
        check(&[&opened], 0, "[odin] `nightly` failed: exit code 3");
        check(
            &[&resolved],
            0,
            "[odin] resolved: `nightly` succeeded after a failure",
        );
        check(
            &[&opened, &resolved],
            7,
            "[odin] 9 alerts, first: `nightly` failed: exit code 3",
        );
        check(&[&long], 0, &format!("[odin] {}…", "ä".repeat(150)));
    }

    #[test]
    fn people_and_programs_read_the_same() {
        let opened = failure(EventKind::Opened, "`nightly` failed: exit code 3");
        let message = message(vec![opened], 1);
        expect![[r#"
            `nightly` failed: exit code 3
              failure, 2026-11-22T05:00:00Z, 2 times
              job nightly (a37b187f5930)
              its output: odin log -i r0200000030002
              to hear no more of it: odin alerts ack a3 --reason "…"

            1 more alerts are listed by `odin alerts`.
        "#]]
        .assert_eq(&text(&message));
        let mut payload = payload(&message);
        payload["text"] = json!(null);
        expect![[r#"
            {
              "data": {
                "alerts": [
                  {
                    "alert": "a3",
                    "at": "2026-11-22T05:00:00Z",
                    "count": 2,
                    "event": "opened",
                    "job": "a37b187f5930",
                    "job_name": "nightly",
                    "kind": "failure",
                    "node": null,
                    "owner": "ann",
                    "run": "r0200000030002",
                    "text": "`nightly` failed: exit code 3"
                  }
                ],
                "channel": "ops",
                "id": "odin_000000000000abcd_1_17",
                "more": 1
              },
              "text": null,
              "timestamp": "2026-11-22T05:00:00Z",
              "type": "odin.alerts"
            }"#]]
        .assert_eq(&serde_json::to_string_pretty(&payload).unwrap());
    }
}
