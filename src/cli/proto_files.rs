//! The interface definition with what it imports, inside of the program.

/// A file of `proto/`.
macro_rules! file {
    ($name:literal) => {
        ($name, include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/proto/", $name)))
    };
}

/// Every file by its path, as imports spell it.
pub const FILES: [(&str, &str); 32] = [
    file!("buf.yaml"),
    file!("google/api/annotations.proto"),
    file!("google/api/client.proto"),
    file!("google/api/field_behavior.proto"),
    file!("google/api/field_info.proto"),
    file!("google/api/http.proto"),
    file!("google/api/launch_stage.proto"),
    file!("google/api/resource.proto"),
    file!("google/longrunning/operations.proto"),
    file!("google/rpc/code.proto"),
    file!("google/rpc/error_details.proto"),
    file!("google/rpc/status.proto"),
    file!("grpc/health/v1/health.proto"),
    file!("vrm/v1/admin_service.proto"),
    file!("vrm/v1/alarm.proto"),
    file!("vrm/v1/alarm_service.proto"),
    file!("vrm/v1/cluster.proto"),
    file!("vrm/v1/common.proto"),
    file!("vrm/v1/error_reason.proto"),
    file!("vrm/v1/host.proto"),
    file!("vrm/v1/host_service.proto"),
    file!("vrm/v1/hypervisor.proto"),
    file!("vrm/v1/image.proto"),
    file!("vrm/v1/inventory_service.proto"),
    file!("vrm/v1/network.proto"),
    file!("vrm/v1/options.proto"),
    file!("vrm/v1/performance.proto"),
    file!("vrm/v1/performance_service.proto"),
    file!("vrm/v1/snapshot.proto"),
    file!("vrm/v1/storage.proto"),
    file!("vrm/v1/stream.proto"),
    file!("vrm/v1/virtual_machine.proto"),
];

#[cfg(test)]
mod tests {
    use super::FILES;
    use std::path::Path;

    fn collect(directory: &Path, root: &Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(directory).expect("the directory is there") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                collect(&path, root, found);
            } else {
                found.push(path.strip_prefix(root).expect("below the root").to_string_lossy().into_owned());
            }
        }
    }

    #[test]
    fn every_file_of_the_interface_is_exported() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("proto");
        let mut found = Vec::new();
        collect(&root, &root, &mut found);
        found.sort();
        let embedded: Vec<&str> = FILES.iter().map(|(name, _)| *name).collect();
        assert_eq!(found, embedded);
    }
}
