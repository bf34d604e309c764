// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Latency histograms of the kernel: `/sys/kernel/debug/bentofs/<id>/latency`.

use serde::Serialize;

/// Buckets of a histogram. Bucket `i` counts the calls of 2^(i+6) ns to 2^(i+7) ns; the first also
/// those below, the last also those above.
const BUCKETS: usize = 24;

/// How long the calls of one operation took, while that was measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Latency {
    /// Calls that were measured.
    pub(crate) count: u64,
    pub(crate) errors: u64,
    pub(crate) total_ns: u64,
    pub(crate) mean_ns: u64,
    /// Upper ends of the buckets that hold the percentiles; never above `max_ns`.
    pub(crate) p50_ns: u64,
    pub(crate) p90_ns: u64,
    pub(crate) p99_ns: u64,
    pub(crate) p999_ns: u64,
    pub(crate) max_ns: u64,
    pub(crate) buckets: Vec<u64>,
}

impl Latency {
    /// A line `op count errors total_ns max_ns b0 ... b23`: the operation and its latencies.
    pub(crate) fn parse(line: &str) -> Option<(&str, Self)> {
        let mut words = line.split_whitespace();
        let op = words.next()?;
        let numbers: Option<Vec<u64>> = words.map(|word| word.parse().ok()).collect();
        let numbers = numbers?;
        let ([count, errors, total_ns, max_ns], buckets) = numbers.split_first_chunk::<4>()?;
        if buckets.len() != BUCKETS {
            return None;
        }
        let percentile = |per_mille| percentile(buckets, per_mille).min(*max_ns);
        let latency = Self {
            count: *count,
            errors: *errors,
            total_ns: *total_ns,
            mean_ns: total_ns.checked_div(*count).unwrap_or(0),
            p50_ns: percentile(500),
            p90_ns: percentile(900),
            p99_ns: percentile(990),
            p999_ns: percentile(999),
            max_ns: *max_ns,
            buckets: buckets.to_vec(),
        };
        Some((op, latency))
    }
}

/// The upper end of the bucket in which the call lies that `per_mille` of 1,000 calls do not
/// exceed.
fn percentile(buckets: &[u64], per_mille: u64) -> u64 {
    let total: u64 = buckets.iter().sum();
    // The rank of that call, rounded up; at least the first.
    let rank = (u128::from(total) * u128::from(per_mille))
        .div_ceil(1_000)
        .max(1);
    let mut seen = 0;
    let mut end = 1 << 7;
    for (at, bucket) in buckets.iter().enumerate() {
        seen += u128::from(*bucket);
        if seen >= rank {
            // The last bucket has no end.
            return if at + 1 == BUCKETS { u64::MAX } else { end };
        }
        end <<= 1;
    }
    0
}

#[cfg(test)]
mod tests {
    use super::Latency;

    fn line(buckets: &[u64; 24]) -> String {
        let buckets: Vec<String> = buckets.iter().map(u64::to_string).collect();
        format!("lookup 1000 3 5000000 70000000000 {}", buckets.join(" "))
    }

    #[test]
    fn percentiles_are_the_ends_of_buckets() {
        let mut buckets = [0; 24];
        (buckets[0], buckets[1], buckets[5], buckets[23]) = (500, 400, 99, 1);
        let text = line(&buckets);
        let (op, latency) = Latency::parse(&text).expect("a line");
        assert_eq!(op, "lookup");
        assert_eq!(latency.mean_ns, 5_000);
        assert_eq!(latency.p50_ns, 128);
        assert_eq!(latency.p90_ns, 256);
        assert_eq!(latency.p99_ns, 4_096);
        assert_eq!(latency.p999_ns, 4_096);
        buckets[23] = 2;
        let text = line(&buckets);
        let (_, latency) = Latency::parse(&text).expect("a line");
        assert_eq!(latency.p999_ns, 70_000_000_000);
    }

    #[test]
    fn what_is_no_histogram_is_refused() {
        assert_eq!(Latency::parse("lookup 1 0 5 5"), None);
        assert_eq!(Latency::parse(""), None);
        let text = line(&[0; 24]);
        let (_, latency) = Latency::parse(&text).expect("a line");
        assert_eq!((latency.p50_ns, latency.p999_ns), (0, 0));
    }
}
