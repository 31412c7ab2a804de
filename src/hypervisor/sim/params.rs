//! What a `sim://` address asks for; checked here, without I/O.

use crate::model::name::decode;

/// Most hosts of one simulated cluster.
pub const MAX_HOSTS: u32 = 1_000;
/// Most machines of one simulated cluster.
pub const MAX_VMS: u32 = 100_000;

/// How much changes by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Churn {
    /// Nothing.
    #[default]
    None,
    /// Machines start, stop, pause, resume and migrate.
    State,
    /// Also machines, snapshots, volumes and networks come and go, and machines are renamed.
    Lifecycle,
}

/// Which faults happen by themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum FaultSource {
    /// None.
    #[default]
    None,
    /// One small fault every half minute, restored after twenty seconds.
    Drip,
    /// A burst of state changes every minute.
    Storm,
    /// The script in this file: JSON lines.
    File(String),
}

/// The parameters of a `sim://` address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimParams {
    /// Hosts, 1 to [`MAX_HOSTS`].
    pub hosts: u32,
    /// Machines that exist at any moment, up to [`MAX_VMS`].
    pub vms: u32,
    /// What everything is drawn from.
    pub seed: u64,
    /// What changes by itself.
    pub churn: Churn,
    /// What fails by itself.
    pub faults: FaultSource,
    /// Thousandths: how much faster than the clock churn and scripts go.
    pub speed_milli: u32,
}

impl Default for SimParams {
    fn default() -> Self {
        Self { hosts: 1, vms: 8, seed: 1, churn: Churn::None, faults: FaultSource::None, speed_milli: 1_000 }
    }
}

/// What is wrong with an address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{parameter}: {reason}")]
pub struct ParamError {
    /// The parameter at fault, or `uri` for its form.
    pub parameter: String,
    /// What is wrong, and what would be right.
    pub reason: String,
}

impl ParamError {
    fn new(parameter: &str, reason: impl Into<String>) -> Self {
        Self { parameter: parameter.chars().take(40).collect(), reason: reason.into() }
    }
}

impl SimParams {
    /// Reads an address such as `sim://?hosts=3&vms=24&seed=7&churn=state`.
    ///
    /// # Errors
    /// [`ParamError`] naming the parameter: unknown, given twice, malformed or out of range.
    pub fn parse(uri: &str) -> Result<Self, ParamError> {
        let rest = uri.strip_prefix("sim://").ok_or_else(|| ParamError::new("uri", "begins with sim://"))?;
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        if !matches!(place, "" | "/") {
            return Err(ParamError::new("uri", "has nothing between sim:// and ?"));
        }
        let mut params = Self::default();
        let mut seen = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) =
                pair.split_once('=').ok_or_else(|| ParamError::new(pair, "needs a value: name=value"))?;
            if seen.contains(&key) {
                return Err(ParamError::new(key, "is given twice"));
            }
            seen.push(key);
            params.set(key, &decode(value))?;
        }
        Ok(params)
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), ParamError> {
        match key {
            "hosts" => self.hosts = number(key, value, 1, MAX_HOSTS)?,
            "vms" => self.vms = number(key, value, 0, MAX_VMS)?,
            "seed" => {
                self.seed = value
                    .parse()
                    .map_err(|_| ParamError::new(key, format!("is a whole number, not {}", shown(value))))?;
            }
            "churn" => self.churn = churn(value)?,
            "faults" => self.faults = faults(value)?,
            "speed" => self.speed_milli = speed(value)?,
            _ => return Err(ParamError::new(key, "unknown; known are hosts, vms, seed, churn, faults, speed")),
        }
        Ok(())
    }
}

fn number(key: &str, value: &str, least: u32, most: u32) -> Result<u32, ParamError> {
    value
        .parse()
        .ok()
        .filter(|number| (least..=most).contains(number))
        .ok_or_else(|| ParamError::new(key, format!("is a whole number from {least} to {most}, not {}", shown(value))))
}

fn churn(value: &str) -> Result<Churn, ParamError> {
    match value {
        "none" => Ok(Churn::None),
        "state" => Ok(Churn::State),
        "lifecycle" => Ok(Churn::Lifecycle),
        _ => Err(ParamError::new("churn", format!("is none, state or lifecycle, not {}", shown(value)))),
    }
}

fn faults(value: &str) -> Result<FaultSource, ParamError> {
    match value {
        "none" => Ok(FaultSource::None),
        "drip" => Ok(FaultSource::Drip),
        "storm" => Ok(FaultSource::Storm),
        path if path.contains('/') => Ok(FaultSource::File(path.to_owned())),
        _ => Err(ParamError::new(
            "faults",
            format!("is none, drip, storm or the path of a script (with a /), not {}", shown(value)),
        )),
    }
}

/// 0.01 to 1,000 times the clock.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to lie in 0.01..=1000")]
fn speed(value: &str) -> Result<u32, ParamError> {
    value
        .parse::<f64>()
        .ok()
        .filter(|speed| (0.01..=1_000.0).contains(speed))
        .map(|speed| (speed * 1_000.0).round() as u32)
        .ok_or_else(|| ParamError::new("speed", format!("is a number from 0.01 to 1000, not {}", shown(value))))
}

/// A foreign text as it may appear in a message: quoted and short.
fn shown(value: &str) -> String {
    let short: String = value.chars().take(40).collect();
    format!("{short:?}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_parameter_is_read() {
        let params = SimParams::parse("sim://?hosts=3&vms=24&seed=7&churn=state&faults=drip&speed=2.5").expect("good");
        assert_eq!(
            params,
            SimParams {
                hosts: 3,
                vms: 24,
                seed: 7,
                churn: Churn::State,
                faults: FaultSource::Drip,
                speed_milli: 2_500
            }
        );
        assert_eq!(SimParams::parse("sim://").expect("good"), SimParams::default());
        assert_eq!(SimParams::parse("sim:///").expect("good"), SimParams::default());
        let file = SimParams::parse("sim://?faults=/etc/vrm/night%20shift.jsonl").expect("good");
        assert_eq!(file.faults, FaultSource::File("/etc/vrm/night shift.jsonl".to_owned()));
    }

    #[test]
    fn the_parameter_at_fault_is_named() {
        for (uri, parameter) in [
            ("sim://?hosts=0", "hosts"),
            ("sim://?hosts=1001", "hosts"),
            ("sim://?vms=100001", "vms"),
            ("sim://?vms=-1", "vms"),
            ("sim://?vms=", "vms"),
            ("sim://?seed=x", "seed"),
            ("sim://?churn=much", "churn"),
            ("sim://?faults=rain", "faults"),
            ("sim://?speed=0", "speed"),
            ("sim://?speed=NaN", "speed"),
            ("sim://?colour=red", "colour"),
            ("sim://?vms=1&vms=2", "vms"),
            ("sim://?vms", "vms"),
            ("sim://kvm-07?vms=1", "uri"),
            ("qemu:///system", "uri"),
        ] {
            assert_eq!(SimParams::parse(uri).expect_err(uri).parameter, parameter, "{uri}");
        }
    }
}
