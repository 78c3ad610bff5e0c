//! What somebody probably meant.

/// Longer texts than this are not misspellings of anything here.
const CHARACTERS_MAX: usize = 40;

/// The candidate nearest to a misspelt word, when one is near: a third of its letters may differ, or it is how the
/// word begins.
#[must_use]
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if word.len() > CHARACTERS_MAX {
        return None;
    }
    let lower = word.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| {
            let distance = if candidate.len() >= 4 && lower.starts_with(candidate) {
                1
            } else {
                strsim::damerau_levenshtein(&lower, candidate)
            };
            (distance, candidate)
        })
        .filter(|(distance, candidate)| *distance <= candidate.len().div_ceil(3).min(3))
        .filter(|(distance, candidate)| *distance < candidate.len())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_near_is_suggested() {
        let candidates = ["schedule", "name", "env", "sh"];
        for (word, expected) in [
            ("schedul", Some("schedule")),
            ("Schedule", Some("schedule")),
            ("shcedule", Some("schedule")),
            ("nmae", Some("name")),
            ("envs", Some("env")),
            ("scheduled_at", Some("schedule")),
            ("colour", None),
            ("x", None),
        ] {
            assert_eq!(nearest(word, candidates), expected, "{word}");
        }
        assert_eq!(nearest(&"x".repeat(100_000), candidates), None);
    }
}
