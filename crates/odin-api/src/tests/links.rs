use expect_test::expect;
use serde_json::{Value, json};

use crate::test_bed::{TestBed, ann, bob, job_file, json_request, request, root};

/// A bed with three jobs of Ann's and one of Bob's.
async fn bed() -> (TestBed, [String; 4]) {
    let bed = TestBed::new();
    let mut ids = Vec::new();
    for (who, name) in [(ann(), "a"), (ann(), "b"), (ann(), "c"), (bob(), "d")] {
        let job = bed.deploy(&who, "", &job_file(name, "")).await.json();
        ids.push(job["id"].as_str().unwrap().to_owned());
    }
    (bed, ids.try_into().unwrap())
}

#[tokio::test]
async fn links_are_made_listed_and_taken_away_by_those_who_may() {
    let (bed, [a, b, c, d]) = bed().await;
    let mut log = String::new();
    let make = |from: &str, to: &str, on: &str| {
        let body = json!({"from": from, "to": to, "on": on}).to_string();
        json_request("POST", "/api/v1/links", &body)
    };
    let gone =
        |from: &str, to: &str| request("DELETE", &format!("/api/v1/links?from={from}&to={to}"));
    let named = |text: String| {
        [(&a, "A"), (&b, "B"), (&c, "C"), (&d, "D")]
            .into_iter()
            .fold(text, |text, (id, name)| text.replace(id, name))
    };
    for (what, who, asked) in [
        ("a to b", ann(), make(&a, &b, "success")),
        ("again", ann(), make(&a, &b, "success")),
        ("at another end", ann(), make(&a, &b, "failure")),
        ("b to c", ann(), make(&b, &c, "always")),
        ("c to a", ann(), make(&c, &a, "success")),
        ("by another", bob(), make(&a, &c, "success")),
        ("to another's", ann(), make(&a, &d, "success")),
        ("by an admin", root(), make(&a, &d, "success")),
        ("at no end", ann(), make(&a, &c, "sometimes")),
        ("away by another", bob(), gone(&a, &b)),
        ("away", ann(), gone(&a, &b)),
        ("away again", ann(), gone(&a, &b)),
        ("a to c", ann(), make(&a, &c, "success")),
    ] {
        let answer = bed.ask(&who, asked).await;
        log += &format!("{what}: {}\n", named(answer.outcome()));
    }
    expect![[r#"
        a to b: 201
        again: 409 link/exists
        at another end: 200
        b to c: 201
        c to a: 422 link/cycle
        by another: 404 job/not-found
        to another's: 404 job/not-found
        by an admin: 422 link/two-owners
        at no end: 400 request/bad-body
        away by another: 404 job/not-found
        away: 204
        away again: 404 link/not-found
        a to c: 201
    "#]]
    .assert_eq(&log);

    let pairs = |list: &Value| {
        let links = list["links"].as_array().unwrap().iter();
        let pair = |it: &Value| format!("{}{}", it["from_name"], it["to_name"]);
        let mut pairs: Vec<_> = links.map(pair).collect();
        pairs.sort();
        pairs.concat().replace('"', "")
    };
    for (who, path, expected) in [
        (ann(), "/api/v1/links".to_owned(), "acbc"),
        (root(), "/api/v1/links".to_owned(), "acbc"),
        (bob(), "/api/v1/links".to_owned(), ""),
        (ann(), format!("/api/v1/links?job={b}"), "bc"),
        (ann(), format!("/api/v1/links?job={c}"), "acbc"),
    ] {
        let list = bed.get(&who, &path).await.json();
        assert_eq!(pairs(&list), expected, "{path}");
        assert_eq!(list["next"], Value::Null);
    }
    let first = bed.get(&ann(), "/api/v1/links?limit=1").await.json();
    let after = first["next"].as_str().unwrap();
    let rest = bed
        .get(&ann(), &format!("/api/v1/links?limit=1&after={after}"))
        .await
        .json();
    assert_ne!(pairs(&first), pairs(&rest));
    assert_eq!(
        bed.get(&ann(), "/api/v1/links?after=x").await.outcome(),
        "400 request/bad-query"
    );

    let jobs = bed.get(&ann(), "/api/v1/jobs").await.json();
    let links: Vec<_> = jobs["jobs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|job| &job["links"])
        .collect();
    assert_eq!(links, [&json!([c]), &json!([c]), &json!([])]);
    let removed = bed
        .ask(&ann(), request("DELETE", &format!("/api/v1/jobs/{c}")))
        .await
        .json();
    assert_eq!(removed["links"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_version_in_full_and_going_back_are_for_those_who_may() {
    let bed = TestBed::new();
    let job = bed.job_of_ann().await;
    let path = format!("/api/v1/jobs/{job}");
    bed.ask(
        &ann(),
        json_request("PATCH", &path, r#"{"schedule":"every hour"}"#),
    )
    .await;
    let mut log = String::new();
    let back = |to: &str| {
        json_request(
            "POST",
            &format!("{path}/rollback"),
            &format!(r#"{{"to":{to}}}"#),
        )
    };
    for (what, who, asked) in [
        (
            "version 1",
            ann(),
            request("GET", &format!("{path}/versions/1")),
        ),
        (
            "version 9",
            ann(),
            request("GET", &format!("{path}/versions/9")),
        ),
        (
            "no version",
            ann(),
            request("GET", &format!("{path}/versions/x")),
        ),
        (
            "version 1 by another",
            bob(),
            request("GET", &format!("{path}/versions/1")),
        ),
        ("back by another", bob(), back("1")),
        ("back to where it is", ann(), back("2")),
        ("back to nowhere", ann(), back("7")),
        ("back", ann(), back("1")),
    ] {
        let answer = bed.ask(&who, asked).await;
        log += &format!("{what}: {}", answer.outcome());
        if answer.status.is_success() {
            let json = answer.json();
            log += &format!(" {} {}", json["version"], json["schedule"]);
            assert!(json["settings"].is_object());
        }
        log.push('\n');
    }
    expect![[r#"
        version 1: 200 1 "every day at 09:00"
        version 9: 404 job/no-such-version
        no version: 400 request/bad-query
        version 1 by another: 404 job/not-found
        back by another: 404 job/not-found
        back to where it is: 409 job/already
        back to nowhere: 404 job/no-such-version
        back: 200 3 "every day at 09:00"
    "#]]
    .assert_eq(&log);
}
