//! Every link of the documentation leads somewhere.

use std::collections::{BTreeMap, BTreeSet};

use crate::finding::Finding;
use crate::repository::{Repository, TextFile};

/// The page that lists the others.
const INDEX: &str = "docs/README.md";

pub(super) fn check(repository: &Repository, files: &[TextFile]) -> Vec<Finding> {
    let pages: BTreeMap<&str, &TextFile> = files
        .iter()
        .filter(|file| file.path.ends_with(".md"))
        .map(|file| (file.path.as_str(), file))
        .collect();
    let exists = |path: &str| repository.root.join(path).exists();
    let mut findings: Vec<Finding> = pages
        .values()
        .flat_map(|page| check_page(page, &pages, exists))
        .collect();
    findings.extend(orphans(&pages));
    findings
}

/// Pages of `docs/` that no other page leads to: nobody finds them.
fn orphans(pages: &BTreeMap<&str, &TextFile>) -> Vec<Finding> {
    let linked: BTreeSet<String> = pages
        .values()
        .flat_map(|page| {
            links(&page.text).into_iter().filter_map(|(_, target)| {
                let path = target.split('#').next().unwrap_or_default();
                resolve(&page.path, path).filter(|resolved| *resolved != page.path)
            })
        })
        .collect();
    pages
        .keys()
        .filter(|path| path.starts_with("docs/") && **path != INDEX && !linked.contains(**path))
        .map(|path| {
            Finding::new(
                *path,
                "links",
                format!("no page leads here; add it to {INDEX}"),
            )
        })
        .collect()
}

fn check_page(
    page: &TextFile,
    pages: &BTreeMap<&str, &TextFile>,
    exists: impl Fn(&str) -> bool,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (number, target) in links(&page.text) {
        if target.contains("://") || target.starts_with("mailto:") {
            continue; // What others publish is not ours to check, and a check must work offline.
        }
        let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
        let resolved = if path.is_empty() {
            Some(page.path.clone())
        } else {
            resolve(&page.path, path)
        };
        let place = format!("{}:{number}", page.path);
        let Some(resolved) = resolved.filter(|resolved| exists(resolved)) else {
            findings.push(Finding::new(
                place,
                "links",
                format!("`{target}` leads nowhere"),
            ));
            continue;
        };
        if anchor.is_empty() {
            continue;
        }
        if let Some(other) = pages.get(resolved.as_str())
            && !headings(&other.text).any(|heading| heading == anchor)
        {
            findings.push(Finding::new(
                place,
                "links",
                format!("`{resolved}` has no heading `#{anchor}`"),
            ));
        }
    }
    findings
}

/// A page's lines that are prose, with their numbers from 1: fenced blocks left out.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut in_fence = false;
    text.lines().enumerate().filter_map(move |(index, line)| {
        let is_fence = line.trim_start().starts_with("```");
        in_fence ^= is_fence;
        (!is_fence && !in_fence).then_some((index + 1, line))
    })
}

/// Targets of inline links and images.
fn links(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for (number, line) in prose(text) {
        let mut rest = line;
        while let Some(start) = rest.find("](") {
            rest = &rest[start + 2..];
            let Some(end) = rest.find(')') else { break };
            // A title may follow the target.
            let target = rest[..end].split_whitespace().next().unwrap_or_default();
            found.push((number, target));
            rest = &rest[end..];
        }
    }
    found
}

/// The anchors of a page's headings, as code hosts make them.
fn headings(text: &str) -> impl Iterator<Item = String> {
    prose(text).filter_map(|(_, line)| {
        let title = line.trim_start_matches('#');
        (title.len() < line.len() && title.starts_with(' ')).then(|| {
            title
                .trim()
                .to_lowercase()
                .chars()
                .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
                .map(|c| if c == ' ' { '-' } else { c })
                .collect()
        })
    })
}

/// `target` as seen from the folder of `page`; nothing when it leaves the repository.
fn resolve(page: &str, target: &str) -> Option<String> {
    let mut parts: Vec<&str> = page.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_that_leads_nowhere_is_found() {
        let page = |path: &str, text: &str| TextFile {
            path: path.to_owned(),
            text: text.to_owned(),
        };
        let guide = page("docs/guides/a.md", "# A guide\n\n## Grace, and after\n");
        for (text, expected) in [
            ("[a](guides/a.md)", None),
            ("[a](guides/a.md#grace-and-after)", None),
            (
                "[a](guides/a.md#gone)",
                Some("`docs/guides/a.md` has no heading `#gone`"),
            ),
            ("[a](guides/b.md)", Some("`guides/b.md` leads nowhere")),
            ("[a](../../x)", Some("`../../x` leads nowhere")),
            ("[a](https://example.org/b.md)", None),
            ("```\n[a](gone.md)\n```", None),
            ("# Here\n[a](#here)", None),
        ] {
            let index = page("docs/index.md", text);
            let pages = [&guide, &index].map(|it| (it.path.as_str(), it)).into();
            let seen = check_page(&index, &pages, |path| {
                ["docs/guides/a.md", "docs/index.md"].contains(&path)
            });
            let seen = seen.first().map(|finding| finding.message.as_str());
            assert_eq!(seen, expected, "{text}");
        }
    }

    #[test]
    fn a_page_that_nothing_leads_to_is_found() {
        let page = |path: &str, text: &str| TextFile {
            path: path.to_owned(),
            text: text.to_owned(),
        };
        let index = page("docs/README.md", "[a](a.md)");
        let linked = page("docs/a.md", "[me](a.md)");
        let alone = page("docs/b.md", "[me](b.md)");
        let pages = [&index, &linked, &alone].map(|it| (it.path.as_str(), it));
        let seen: Vec<_> = orphans(&pages.into())
            .into_iter()
            .map(|it| it.place)
            .collect();
        assert_eq!(seen, ["docs/b.md"]);
    }
}
