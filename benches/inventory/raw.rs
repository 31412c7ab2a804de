//! libvirt alone: what opening the same file and reading it costs without us. Runs as a child, so that the memory is
//! that of a fresh process.

use super::process::Process;
use anyhow::Context;
use std::path::Path;
use std::process::Command;
use std::time::Instant;
use virt::connect::Connect;

/// What libvirt took.
#[derive(Clone, Copy, Debug, Default)]
pub struct Raw {
    /// Opening, in milliseconds.
    pub open: f64,
    /// Listing and reading every definition and state once, in milliseconds.
    pub read: f64,
    /// Bulk statistics, in milliseconds.
    pub statistics: f64,
    /// Resident memory after all that, in MiB.
    pub resident: f64,
}

/// The child: measures and prints four numbers.
///
/// # Errors
/// libvirt cannot read the file.
pub fn measure(file: &Path) -> anyhow::Result<()> {
    let begun = Instant::now();
    let connect = Connect::open_read_only(Some(&format!("test://{}", file.display())))?;
    let open = begun.elapsed();
    let begun = Instant::now();
    let domains = connect.list_all_domains(0)?;
    for domain in &domains {
        domain.xml_desc(0)?;
        domain.info()?;
    }
    let read = begun.elapsed();
    let resident = Process(std::process::id()).resident()?;
    let begun = Instant::now();
    #[expect(clippy::disallowed_methods, reason = "its leak ends with this process, and its memory was read before")]
    connect.all_domain_stats(0, 0)?;
    let statistics = begun.elapsed();
    let figures = [open, read, statistics].map(super::table::in_millis);
    println!("{} {} {} {resident}", figures[0], figures[1], figures[2]);
    Ok(())
}

/// Starts the child and takes its figures.
///
/// # Errors
/// It fails.
pub fn of(file: &Path) -> anyhow::Result<Raw> {
    let output = Command::new(std::env::current_exe()?).arg("--raw").arg(file).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let figures: Vec<f64> = text.split_whitespace().filter_map(|number| number.parse().ok()).collect();
    let [open, read, statistics, resident] = figures[..] else {
        return Err(anyhow::anyhow!("{}", String::from_utf8_lossy(&output.stderr))).context("libvirt alone");
    };
    Ok(Raw { open, read, statistics, resident })
}
