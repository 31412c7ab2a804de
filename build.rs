//! Generates `vrm.v1` from `proto/`, without protoc.
//!
//! The descriptor set keeps the custom options (policies), which `northbound` reads at start-up
//! and reflection serves.

use std::error::Error;
use std::path::{Path, PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    println!("cargo:rerun-if-changed=proto");
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
