//! A series of numbers as one line of blocks.

use odin_wire::Bucket;

const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// One block for each stretch of time, as high as its largest number between the smallest and the largest of all; of
/// at most `width` stretches, which the caller has asked for.
pub(crate) fn sparkline(buckets: &[Bucket], width: usize) -> String {
    let least = buckets
        .iter()
        .map(|it| it.min)
        .fold(f64::INFINITY, f64::min);
    let most = buckets
        .iter()
        .map(|it| it.max)
        .fold(f64::NEG_INFINITY, f64::max);
    let height = |number: f64| {
        // Halved, so that no difference is too large for a number.
        let (part, whole) = (number / 2.0 - least / 2.0, most / 2.0 - least / 2.0);
        let steps = (BLOCKS.len() - 1) as f64;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 0 and 7"
        )]
        let step = if whole > 0.0 {
            (part / whole * steps).round() as usize
        } else {
            3
        };
        BLOCKS[step.min(BLOCKS.len() - 1)]
    };
    buckets
        .iter()
        .take(width)
        .map(|it| height(it.max))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(numbers: &[f64], width: usize, expected: &str) {
        let at = jiff::Timestamp::UNIX_EPOCH;
        let bucket = |&number: &f64| Bucket {
            count: 1,
            min: number,
            min_at: at,
            max: number,
            max_at: at,
            first: number,
            first_at: at,
            last: number,
            last_at: at,
        };
        let buckets: Vec<_> = numbers.iter().map(bucket).collect();
        assert_eq!(sparkline(&buckets, width), expected);
    }

    #[test]
    fn the_smallest_is_the_lowest_block_and_the_largest_the_highest() {
        check(&[], 10, "");
        check(&[5.0], 10, "▄");
        check(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0], 10, "▁▂▃▄▅▆▇█");
        check(&[0.0, 1.0, 0.0], 2, "▁█");
        check(&[f64::MIN, 0.0, f64::MAX], 10, "▁▅█");
    }
}
