//! How fast output is searched for secrets: text without them, text with one in each line, text that escapes a lot,
//! and base64, where most characters may begin one.
#![allow(clippy::unwrap_used, missing_docs)]

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use odin_executor::masking::{Mask, Patterns};
use odin_model::SecretValue;

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
    let values = ["hunter22-correct-horse", "AKIA0123456789ABCDEF", &key]
        .map(|text| SecretValue::new(text.as_bytes().to_vec()).unwrap());
    let patterns = Patterns::new(&values);
    let mut group = criterion.benchmark_group("masking");
    group.throughput(Throughput::Bytes(READ as u64));
    for (name, line) in [
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
    ] {
        let text = repeated(line);
        group.bench_function(name, |bencher| {
            bencher.iter_batched_ref(
                || (Mask::default(), Vec::with_capacity(2 * READ)),
                |(mask, out)| {
                    mask.push(&patterns, &text, out);
                    out.len()
                },
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
    criterion.bench_function("patterns of three secrets", |bencher| {
        bencher.iter(|| Patterns::new(&values));
    });
}

criterion_group!(benches, masking);
criterion_main!(benches);
