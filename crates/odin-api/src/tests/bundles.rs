use crate::test_bed::{TestBed, ann, job_file, packed};
use crate::{bundle_path, remove_unfinished_uploads};

#[tokio::test]
async fn the_files_come_back_as_they_were_deployed() {
    let bed = TestBed::new();
    let first = job_file("greet", "");
    let second = job_file("greet", "  description: again\n");
    let answer = bed.deploy(&ann(), "", &first).await;
    let id = answer.json()["id"].as_str().unwrap().to_owned();
    bed.deploy(&ann(), "", &second).await;
    for (query, expected) in [
        ("", packed(&second)),
        ("?version=2", packed(&second)),
        ("?version=1", packed(&first)),
    ] {
        let answer = bed
            .get(&ann(), &format!("/api/v1/jobs/{id}/bundle{query}"))
            .await;
        assert_eq!(answer.headers["content-type"], "application/zstd");
        assert!(answer.body == expected, "{query}");
    }
    let answer = bed
        .get(&ann(), &format!("/api/v1/jobs/{id}/bundle?version=3"))
        .await;
    assert_eq!(answer.outcome(), "404 job/no-such-version");

    let hash = bed.get(&ann(), &format!("/api/v1/jobs/{id}")).await.json()["settings"]["bundle"]
        .as_str()
        .unwrap()
        .parse();
    std::fs::remove_file(bundle_path(&bed.dir.path().join("bundles"), hash.unwrap())).unwrap();
    let answer = bed.get(&ann(), &format!("/api/v1/jobs/{id}/bundle")).await;
    assert_eq!(answer.outcome(), "404 bundle/not-here");
}

#[test]
fn what_a_crash_left_of_uploads_is_removed_and_bundles_stay() {
    let dir = tempfile::tempdir().unwrap();
    let bundle = bundle_path(dir.path(), odin_model::BundleHash([7; 32]));
    std::fs::write(&bundle, "x").unwrap();
    std::fs::write(dir.path().join(".upload-0011"), "x").unwrap();
    remove_unfinished_uploads(dir.path()).unwrap();
    let left: Vec<_> = std::fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert_eq!(left, [bundle]);
}
