//! How fast output is searched for one, three and twenty secrets: text without them, text with one in each line, text
//! that escapes a lot, and base64, where most characters may begin one.
//!
//! What is measured is processor time, which others on the machine do not change.
#![allow(clippy::unwrap_used, missing_docs)]

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use odin_executor::masking::{Mask, Patterns};
use odin_model::SecretValue;
use rustix::time::{ClockId, clock_gettime};

const READ: usize = 64 << 10;

fn repeated(line: &str) -> Vec<u8> {
    line.bytes().cycle().take(READ).collect()
}

fn masking(criterion: &mut Criterion) {
    let key: String = (0..28)
        .map(|line| {
            format!(
                "{:064x}\n",
                0x9e37_79b9_7f4a_7c15_u128 << 32 | u128::from(line * 7919_u32)
            )
        })
        .collect();
    let few = ["hunter22-correct-horse", "AKIA0123456789ABCDEF", &key];
    let many: Vec<String> = (0..20_u64)
        .map(|number| format!("{:020x}", (number + 3).wrapping_mul(0x9e37_79b9_7f4a_7c15)))
        .collect();
    let many: Vec<&str> = ["hunter22-correct-horse"]
        .into_iter()
        .chain(many.iter().skip(1).map(String::as_str))
        .collect();
    let mut group = criterion.benchmark_group("masking");
    group.throughput(Throughput::Bytes(READ as u64));
    let texts = [
        (
            "log lines",
            "2026-11-22T03:04:05.678Z INFO worker[17]: processed item 4711 in 12 ms, queue has 42 more\n",
        ),
        (
            "a secret in each line",
            "2026-11-22T03:04:05.678Z INFO using key hunter22-correct-horse for the request\n",
        ),
        (
            "escapes",
            r#"{"path": "C:\\temp\\new", "text": "a\nb\tc \u00e9", "url": "?q=a%20b%2Fc+d"}"#,
        ),
        (
            "base64",
            "TWFueSBoYW5kcyBtYWtlIGxpZ2h0IHdvcmsuTWFueSBoYW5kcyBtYWtlIGxpZ2h0IHdvcmsu\n",
        ),
    ];
    for (name, line) in texts {
        let text = repeated(line);
        for secrets in [&few[..1], &few, &many] {
            let patterns = Patterns::new(&values(secrets));
            let name = format!("{name}, {} secrets", secrets.len());
            group.bench_function(name, |bencher| {
                bencher.iter_custom(|count| (0..count).map(|_| time_of(&patterns, &text)).sum());
            });
        }
    }
    group.finish();
    let values = values(&few);
    criterion.bench_function("patterns of three secrets", |bencher| {
        bencher.iter(|| Patterns::new(&values));
    });
}

fn values(texts: &[&str]) -> Vec<SecretValue> {
    let value = |text: &&str| SecretValue::new(text.as_bytes().to_vec()).unwrap();
    texts.iter().map(value).collect()
}

/// The processor time of masking a text, from a new mask on.
fn time_of(patterns: &Patterns, text: &[u8]) -> Duration {
    let (mut mask, mut out) = (Mask::default(), Vec::with_capacity(2 * READ));
    let before = processor_time();
    mask.push(patterns, black_box(text), &mut out);
    let time = processor_time() - before;
    black_box(out);
    time
}

fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(
        time.tv_sec.try_into().unwrap(),
        time.tv_nsec.try_into().unwrap(),
    )
}

criterion_group!(benches, masking);
criterion_main!(benches);
