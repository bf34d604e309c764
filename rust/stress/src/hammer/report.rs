// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What a run of the hammer found, for people and for programs.

use crate::latency::{Latency, Window};
use core::time::Duration;

#[derive(Debug)]
pub(super) struct Report {
    pub(super) jobs: u16,
    pub(super) operations: usize,
    pub(super) elapsed: Duration,
    /// One line per operation that returned an error.
    pub(super) failed: Vec<String>,
    /// One line per answer that differs from the model.
    pub(super) mismatches: Vec<String>,
    /// Of the workers.
    pub(super) latency: Latency,
    /// Of the probe.
    pub(super) probe: Latency,
    pub(super) windows: Vec<Window>,
}

/// Microseconds.
const fn us(ns: u64) -> u64 {
    ns.div_ceil(1000)
}

impl Report {
    pub(super) fn text(&self) -> String {
        let mut out = String::new();
        for line in self.failed.iter().chain(&self.mismatches).take(40) {
            out += &format!("hammer: {line}\n");
        }
        out += &format!(
            "hammer: {} workers, {} operations in {:.1} s, {} failed, {} wrong answers\n",
            self.jobs,
            self.operations,
            self.elapsed.as_secs_f64(),
            self.failed.len(),
            self.mismatches.len()
        );
        for (name, latency) in [("hammer", &self.latency), ("probe", &self.probe)] {
            let at = |permille| us(latency.permille(permille));
            out += &format!(
                "{name}: latency in us: p50 {} p99 {} p99.9 {} longest {}\n",
                at(500),
                at(990),
                at(999),
                at(1000)
            );
            for &window in &self.windows {
                let around = latency.around(window);
                out += &format!(
                    "{name}: window of {} us: {} operations, longest {} us; 2 s before: {} us\n",
                    us(window.end - window.start),
                    around.ops,
                    us(around.longest),
                    us(around.longest_before)
                );
            }
        }
        out
    }

    /// One JSON object; all times in microseconds. `histogram[i]`: operations of less than 2^i us
    /// that are not in an earlier class.
    pub(super) fn json(&self) -> String {
        format!(
            "{{\"operations\":{},\"seconds\":{:.3},\"failed\":{},\"mismatches\":{},\"hammer\":{},\"probe\":{}}}\n",
            self.operations,
            self.elapsed.as_secs_f64(),
            self.failed.len(),
            self.mismatches.len(),
            self.client(&self.latency),
            self.client(&self.probe),
        )
    }

    /// What one kind of client saw.
    fn client(&self, latency: &Latency) -> String {
        let mut windows = String::new();
        for (i, &window) in self.windows.iter().enumerate() {
            let around = latency.around(window);
            let comma = if i > 0 { "," } else { "" };
            windows += &format!(
                "{comma}{{\"length_us\":{},\"operations\":{},\"longest_us\":{},\"longest_before_us\":{}}}",
                us(window.end - window.start),
                around.ops,
                us(around.longest),
                us(around.longest_before)
            );
        }
        format!(
            "{{\"p50_us\":{},\"p99_us\":{},\"p999_us\":{},\"longest_us\":{},\"histogram\":{:?},\"windows\":[{windows}]}}",
            us(latency.permille(500)),
            us(latency.permille(990)),
            us(latency.permille(999)),
            us(latency.permille(1000)),
            latency.histogram(),
        )
    }
}
