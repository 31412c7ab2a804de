//! Generates `vrm.v1` from `proto/`, without protoc, and alarm types and metrics from their catalogues.
//!
//! The descriptor set keeps the custom options (policies), which `northbound` reads at start-up
//! and reflection serves.

use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// The alarm catalogue.
const CATALOGUE: &str = "src/fault/catalogue.toml";

/// What is read of the catalogue here; the rest is read by `fault::catalogue`.
#[derive(serde::Deserialize)]
struct Catalogue {
    #[serde(rename = "type")]
    types: Vec<Type>,
}

#[derive(serde::Deserialize)]
struct Type {
    id: String,
    meaning: String,
}

/// The metric catalogue.
const METRICS: &str = "src/performance/catalogue.toml";

/// What is read of the metric catalogue here: what every reading needs. The rest is read by `performance::catalogue`.
#[derive(serde::Deserialize)]
struct MetricCatalogue {
    #[serde(rename = "metric")]
    metrics: Vec<MetricRow>,
}

#[derive(serde::Deserialize)]
struct MetricRow {
    number: u16,
    name: String,
    class: String,
    unit: String,
    kind: String,
    meaning: String,
}

fn main() -> Result<(), Box<dyn Error>> {
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    println!("cargo:rerun-if-changed=proto");
    println!("cargo:rerun-if-changed={CATALOGUE}");
    let catalogue: Catalogue = toml::from_str(&std::fs::read_to_string(CATALOGUE)?)?;
    std::fs::write(out.join("alarm_types.rs"), alarm_types(&catalogue)?)?;
    println!("cargo:rerun-if-changed={METRICS}");
    let metrics: MetricCatalogue = toml::from_str(&std::fs::read_to_string(METRICS)?)?;
    std::fs::write(out.join("metrics.rs"), metric_enum(&metrics)?)?;

    let mut compiler = protox::Compiler::new(["proto"])?;
    compiler.include_imports(true).include_source_info(true);
    compiler.open_files(own_files()?)?;
    compiler.open_files(["grpc/health/v1/health.proto", "google/rpc/error_details.proto"])?;
    // Not through prost-types, which would drop the extensions.
    std::fs::write(out.join("descriptors.bin"), compiler.encode_file_descriptor_set())?;

    let mut files = compiler.file_descriptor_set();
    files.file.retain(|file| matches!(file.package(), "vrm.v1" | "grpc.health.v1" | "google.protobuf"));
    tonic_prost_build::configure()
        .build_client(true)
        .build_server(std::env::var_os("CARGO_FEATURE_DAEMON").is_some())
        .btree_map(".")
        .include_file("generated.rs")
        .compile_fds(files)?;
    Ok(())
}

/// Paths of the `vrm.v1` files as imports spell them.
fn own_files() -> Result<Vec<String>, Box<dyn Error>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(Path::new("proto/vrm/v1"))? {
        let name = entry?.file_name().into_string().map_err(|name| format!("odd file name {name:?}"))?;
        if name.ends_with(".proto") {
            files.push(format!("vrm/v1/{name}"));
        }
    }
    files.sort();
    Ok(files)
}

/// `enum AlarmType` with a variant per type of the catalogue, in its order.
fn alarm_types(catalogue: &Catalogue) -> Result<String, Box<dyn Error>> {
    let (mut variants, mut all, mut ids) = (String::new(), String::new(), String::new());
    for alarm_type in &catalogue.types {
        let id = &alarm_type.id;
        if !id.starts_with(|c: char| c.is_ascii_lowercase()) || !id.chars().all(|c| c.is_ascii_alphanumeric()) {
            return Err(format!("{CATALOGUE}: {id:?} is not a camelCase id").into());
        }
        let variant = id[..1].to_uppercase() + &id[1..];
        writeln!(variants, "    #[doc = {:?}]\n    #[serde(rename = {id:?})]\n    {variant},", alarm_type.meaning)?;
        writeln!(all, "        Self::{variant},")?;
        writeln!(ids, "        {id:?},")?;
    }
    let count = catalogue.types.len();
    Ok(format!(
        "/// A type of alarm: one kind of fault, by its id in the catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub enum AlarmType {{
{variants}}}

impl AlarmType {{
    /// Every type, in the order of the catalogue.
    pub const ALL: [Self; {count}] = [
{all}    ];

    /// Their ids, in the same order.
    const IDS: [&'static str; {count}] = [
{ids}    ];

    /// Its id, e.g. `vmCrashed`.
    pub fn id(self) -> &'static str {{
        Self::IDS[self as usize]
    }}

    /// The type of an id.
    pub fn parse(id: &str) -> Option<Self> {{
        Self::ALL.into_iter().find(|alarm_type| alarm_type.id() == id)
    }}
}}
"
    ))
}

/// `enum Metric` with a variant per metric of the catalogue, in its order.
fn metric_enum(catalogue: &MetricCatalogue) -> Result<String, Box<dyn Error>> {
    let (mut variants, mut all, mut facts) = (String::new(), String::new(), String::new());
    for MetricRow { number, name, class, unit, kind, meaning } in &catalogue.metrics {
        if !name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "._".contains(c)) {
            return Err(format!("{METRICS}: {name:?} is not a dotted name in lower case").into());
        }
        let (variant, kind) = (camel_case(name), camel_case(kind));
        writeln!(variants, "    #[doc = {meaning:?}]\n    {variant},")?;
        writeln!(all, "        Self::{variant},")?;
        writeln!(
            facts,
            "        Facts {{ number: {number}, name: {name:?}, class: MeasuredClass::{class}, unit: {unit:?}, kind: MetricKind::{kind} }},"
        )?;
    }
    let count = catalogue.metrics.len();
    Ok(format!(
        "/// A measured quantity, by its name in the catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u16)]
pub enum Metric {{
{variants}}}

impl Metric {{
    /// Every metric, in the order of the catalogue.
    pub const ALL: [Self; {count}] = [
{all}    ];

    const FACTS: [Facts; {count}] = [
{facts}    ];
}}
"
    ))
}

/// `vm.cpu.usage` to `VmCpuUsage`.
fn camel_case(name: &str) -> String {
    let words = name.split(['.', '_']).filter(|word| !word.is_empty());
    words.map(|word| word[..1].to_uppercase() + &word[1..]).collect()
}
