//! The reference page of the job file's keys.

use std::fmt::Write;

use crate::key::{self, Support};
use crate::keys::KEYS;
use crate::shape::Section;

/// The page, in Markdown.
#[must_use]
pub fn reference() -> String {
    let mut page = "\
# The job file

<!-- Made from the table of keys in crates/odin-job-file/src/keys.rs. To write it anew:
     UPDATE_EXPECT=1 cargo test -p odin-job-file -->

A job file is one YAML document of at most 256 KiB. Unknown keys are refused, and so are anchors, aliases and tags.
Numbers and booleans are taken as the text that is written. A duration is whole numbers with units, the largest first:
`90s`, `5m`, `1h30m`, `2d`, `500ms`. Paths are relative to the job file's directory and stay below it.

```yaml
job:
  name: amzn_stocks
  description: Check the stock price
  language: python3
  file: amzn_stocks.py
  schedule: every weekday at 09:00 and every Saturday at 11:30
```

`odin generate` writes such a file. Editors check it with `job-file.schema.json`.
"
    .to_owned();
    for (section, title) in [
        (Section::Top, "Top"),
        (Section::Job, "`job`"),
        (Section::Missed, "`missed` as a mapping"),
        (Section::Concurrency, "`concurrency` as a mapping"),
        (Section::Retries, "`retries` as a mapping"),
        (Section::Timeout, "`timeout` as a mapping"),
        (Section::Limits, "`limits`"),
        (Section::Keep, "`keep`"),
        (Section::OnCancel, "`on_cancel` as a mapping"),
        (Section::Dst, "`dst`"),
        (Section::Notify, "`notify`"),
        (Section::Expect, "`expect`"),
        (Section::Bounds, "The bounds of a value"),
        (Section::Provider, "`provider`"),
    ] {
        let _ = write!(
            page,
            "\n## {title}\n\n| key | value | default | example | meaning |\n|---|---|---|---|---|\n"
        );
        for key in key::of_section(section).filter(|key| key.support == Support::Now) {
            let example = if key.example.is_empty() {
                String::new()
            } else {
                format!("`{}`", key.example)
            };
            let _ = writeln!(
                page,
                "| `{}` | {} | {} | {example} | {} |",
                key.name,
                key.shape.words(),
                key.default,
                key.meaning
            );
        }
    }
    page.push_str(
        "\n## Not supported yet\n\nThese keys are refused until Odin does what they say: a key that is accepted and \
         ignored would be\nworse.\n\n| key | meaning |\n|---|---|\n",
    );
    for key in KEYS.iter().filter(|key| key.support == Support::NotYet) {
        let place = if key.section == Section::Top {
            ""
        } else {
            "job."
        };
        let _ = writeln!(page, "| `{place}{}` | {} |", key.name, key.meaning);
    }
    page.push_str("| `job.language: rust` | A program that is compiled at deploy, as `go` is. |\n");
    page
}

/// Compares a page with the one under docs/reference, or writes it there when `UPDATE_EXPECT` is set.
#[cfg(test)]
pub(crate) fn check_published(name: &str, text: &str) {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .unwrap();
    let path = root.join("docs/reference").join(name);
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
    }
    let published = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        published == text,
        "{name} is out of date: UPDATE_EXPECT=1 cargo test -p odin-job-file"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_reference_is_the_one_of_this_code() {
        check_published("job-file.md", &reference());
    }

    #[test]
    fn every_example_in_the_table_is_read() {
        for key in key::of_section(Section::Job).filter(|key| key.support == Support::Now) {
            let base = [
                ("name", "a"),
                ("schedule", "never"),
                ("language", "sh"),
                ("file", "a.sh"),
            ];
            let replaced: &[&str] = match key.name {
                "command" => &["language", "file"],
                "runs" => &["schedule"],
                name => &[name],
            };
            let mut text = "job:\n".to_owned();
            for (name, value) in base.iter().filter(|(name, _)| !replaced.contains(name)) {
                let _ = writeln!(text, "  {name}: {value}");
            }
            let _ = writeln!(text, "  {}: {}", key.name, key.example);
            crate::read(&text, &crate::Defaults::default())
                .unwrap_or_else(|error| panic!("{text}: {error}"));
        }
    }
}
