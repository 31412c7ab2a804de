//! Counters and periods against a naive model: a list of readings, gone through once for each question.

use super::{MIDNIGHT, Stage, everything, sample};
use crate::model::measurement::Part;
use crate::model::metric::Metric;
use proptest::prelude::*;

/// A reading: seconds since the one before, what was counted meanwhile, whether the machine was restarted.
fn step() -> impl Strategy<Value = (u32, u64, bool)> {
    (1_u32..40, 0_u64..1_000_000, prop::bool::weighted(0.08))
}

proptest! {
    #[test]
    fn every_movement_is_counted_exactly_once_in_the_period_it_was_seen_in(steps in prop::collection::vec(step(), 2..120)) {
        let mut stage = Stage::new(everything(&[Metric::VnicRxBytes], 60));
        let nic = || Part::Nic("52:54:00:00:00:01".into());
        // What is known: per period the sum of differences within an incarnation.
        let mut model: std::collections::BTreeMap<i64, (u64, bool, u32)> = Default::default();
        let (mut at, mut count, mut incarnation) = (0_u32, 0_u64, 1_u64);
        for (round, (seconds, moved, restarted)) in steps.iter().enumerate() {
            at += seconds;
            if *restarted { incarnation += 1; count = *moved; } else { count += moved; }
            stage.see(f64::from(at), &[sample(nic(), incarnation, &[(Metric::VnicRxBytes, count)])]);
            let entry = model.entry(i64::from(at / 60 * 60)).or_default();
            entry.2 += 1;
            if round > 0 && !restarted { entry.0 += moved; entry.1 = true; }
        }
        stage.close(f64::from(at) + 200.0);
        let mut told = std::collections::BTreeMap::new();
        for result in &stage.results {
            let value = &result.values[0].1;
            prop_assert!(value.value.is_err() || value.value.unwrap() >= 0.0);
            prop_assert!(told.insert((result.begin.0 - MIDNIGHT) / 1_000_000, (value.value.ok(), value.samples)).is_none());
        }
        #[expect(clippy::cast_precision_loss, reason = "small")]
        let wanted: std::collections::BTreeMap<i64, (Option<f64>, u32)> = model
            .into_iter()
            .map(|(begin, (sum, counted, samples))| (begin, (counted.then_some(sum as f64), samples)))
            .collect();
        prop_assert_eq!(told, wanted);
    }

    #[test]
    fn a_mean_lies_between_the_least_and_the_greatest(steps in prop::collection::vec((1_u32..40, 0_u64..1_000), 2..80)) {
        let mut stage = Stage::new(everything(&[Metric::VmMemoryRss], 60));
        let mut at = 0;
        for (seconds, value) in steps {
            at += seconds;
            stage.see(f64::from(at), &[sample(Part::Whole, 1, &[(Metric::VmMemoryRss, value)])]);
        }
        stage.close(f64::from(at) + 200.0);
        for result in &stage.results {
            let value = &result.values[0].1;
            let mean = value.value.unwrap();
            let (min, max) = (value.min.unwrap(), value.max.unwrap());
            prop_assert!(min - 1e-9 <= mean && mean <= max + 1e-9, "{min} {mean} {max}");
            prop_assert!(min <= value.last.unwrap() && value.last.unwrap() <= max);
        }
    }
}
