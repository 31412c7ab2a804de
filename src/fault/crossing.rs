//! Threshold crossings: figures of built-in monitors, and monitors that people set up.
//!
//! An alarm is identified by object and type, so all monitors of people that an object is beyond are one alarm of type
//! `thresholdCrossed`: it has the worst severity of them, and names each.

use super::catalogue::AlarmType;
use super::detect;
use super::place::owner;
use super::surveillance::Surveillance;
use crate::model::measurement::ThresholdCrossing;
use crate::model::relation::Topology;
use crate::model::{Name, Timestamp};

impl Surveillance {
    /// What the measurement part found at the end of periods.
    pub fn crossings(&mut self, crossings: &[ThresholdCrossing], world: &dyn Topology, now: Timestamp) {
        let mut signs = Vec::new();
        for crossing in crossings {
            if world.object(&owner(&crossing.object)).is_none() {
                continue;
            }
            if let Some(alarm_type) = AlarmType::parse(&crossing.monitor) {
                let grading = |kind: AlarmType, name: &Name| self.grading_for(kind, name, None, world);
                signs.push(detect::measured(alarm_type, crossing, &self.context(world, &grading, now)));
            } else {
                self.crossed.take(crossing);
                signs.push(self.crossed.sign(&crossing.object));
            }
        }
        self.signs(signs, world, now);
    }

    /// A monitor is gone or judges otherwise from now on: what it found is no condition any more.
    pub fn monitor_ended(&mut self, monitor: &str, world: &dyn Topology, now: Timestamp) {
        let concerned = self.crossed.end(monitor);
        let signs = concerned.iter().map(|object| self.crossed.sign(object)).collect();
        self.signs(signs, world, now);
    }
}
