use super::*;

fn failure(code: u32, domain: u32, errno: i32, message: &str) -> Failure {
    Failure { code: code as i32, domain: domain as i32, errno, message: message.to_owned() }
}

fn name(error: &HypervisorError) -> &'static str {
    match error {
        HypervisorError::Unreachable(_) => "unreachable",
        HypervisorError::ServiceLost(_) => "service lost",
        HypervisorError::Refused(_) => "refused",
        HypervisorError::TimedOut(_) => "timed out",
        HypervisorError::Busy(_) => "busy",
        HypervisorError::NotFound(_) => "not found",
        HypervisorError::Unsupported(_) => "unsupported",
        HypervisorError::NeedsManage(_) => "needs manage",
        HypervisorError::WrongState(_) => "wrong state",
        HypervisorError::Malformed { .. } => "malformed",
        HypervisorError::Other { .. } => "other",
    }
}

/// Every row: (code, domain, errno, text) in a call, and what it means.
#[test]
fn every_row_in_a_call() {
    use sys::*;
    let rows: &[(u32, u32, i32, &str, &str)] = &[
        // The link.
        (VIR_ERR_INTERNAL_ERROR, VIR_FROM_RPC, 0, "internal error: client socket is closed", "unreachable"),
        (VIR_ERR_INTERNAL_ERROR, VIR_FROM_REMOTE, 0, "whatever", "unreachable"),
        (VIR_ERR_SYSTEM_ERROR, VIR_FROM_RPC, 5, "End of file while reading data", "service lost"),
        (VIR_ERR_SYSTEM_ERROR, VIR_FROM_RPC, 32, "Cannot write data: Broken pipe", "service lost"),
        (VIR_ERR_SYSTEM_ERROR, VIR_FROM_RPC, 104, "Cannot recv data", "service lost"),
        (VIR_ERR_RPC, VIR_FROM_RPC, 0, "packet 123 bytes received from server too large", "unreachable"),
        // The same codes elsewhere are no loss.
        (VIR_ERR_INTERNAL_ERROR, VIR_FROM_QEMU, 0, "internal error: unable to execute QEMU command", "other"),
        (VIR_ERR_SYSTEM_ERROR, VIR_FROM_STORAGE, 2, "cannot open directory", "other"),
        (VIR_ERR_RPC, VIR_FROM_QEMU, 0, "x", "other"),
        (VIR_ERR_RPC, VIR_FROM_RPC, 0, "Unable to decode message payload", "malformed"),
        // The rest of the table.
        (VIR_ERR_NO_CONNECT, VIR_FROM_NONE, 0, "", "service lost"),
        (VIR_ERR_INVALID_CONN, VIR_FROM_NONE, 0, "", "service lost"),
        (VIR_ERR_UNKNOWN_HOST, VIR_FROM_NONE, 0, "", "unreachable"),
        (VIR_ERR_GNUTLS_ERROR, VIR_FROM_RPC, 0, "", "unreachable"),
        (VIR_ERR_SSH, VIR_FROM_SSH, 0, "", "unreachable"),
        (VIR_ERR_LIBSSH, VIR_FROM_LIBSSH, 0, "", "unreachable"),
        (VIR_ERR_AUTH_FAILED, VIR_FROM_RPC, 0, "", "refused"),
        (VIR_ERR_AUTH_CANCELLED, VIR_FROM_AUTH, 0, "", "refused"),
        (VIR_ERR_AUTH_UNAVAILABLE, VIR_FROM_AUTH, 0, "", "refused"),
        (VIR_ERR_ACCESS_DENIED, VIR_FROM_ACCESS, 0, "", "needs manage"),
        (VIR_ERR_OPERATION_DENIED, VIR_FROM_DOM, 0, "", "needs manage"),
        (VIR_ERR_NO_DOMAIN, VIR_FROM_QEMU, 0, "", "not found"),
        (VIR_ERR_NO_NETWORK, VIR_FROM_NETWORK, 0, "", "not found"),
        (VIR_ERR_NO_STORAGE_POOL, VIR_FROM_STORAGE, 0, "", "not found"),
        (VIR_ERR_NO_STORAGE_VOL, VIR_FROM_STORAGE, 0, "", "not found"),
        (VIR_ERR_NO_DOMAIN_SNAPSHOT, VIR_FROM_QEMU, 0, "", "not found"),
        (VIR_ERR_NO_DOMAIN_CHECKPOINT, VIR_FROM_QEMU, 0, "", "not found"),
        (VIR_ERR_NO_NODE_DEVICE, VIR_FROM_NODEDEV, 0, "", "not found"),
        (VIR_ERR_NO_SECRET, VIR_FROM_SECRET, 0, "", "not found"),
        (VIR_ERR_NO_DOMAIN_METADATA, VIR_FROM_QEMU, 0, "", "not found"),
        (VIR_ERR_DEVICE_MISSING, VIR_FROM_QEMU, 0, "", "not found"),
        (VIR_ERR_NO_SUPPORT, VIR_FROM_LXC, 0, "", "unsupported"),
        (VIR_ERR_ARGUMENT_UNSUPPORTED, VIR_FROM_TEST, 0, "", "unsupported"),
        (VIR_ERR_OPERATION_UNSUPPORTED, VIR_FROM_QEMU, 0, "", "unsupported"),
        (VIR_ERR_CONFIG_UNSUPPORTED, VIR_FROM_QEMU, 0, "", "unsupported"),
        (VIR_ERR_OPERATION_INVALID, VIR_FROM_QEMU, 0, "", "wrong state"),
        (VIR_ERR_SNAPSHOT_REVERT_RISKY, VIR_FROM_QEMU, 0, "", "wrong state"),
        (VIR_ERR_BLOCK_COPY_ACTIVE, VIR_FROM_QEMU, 0, "", "wrong state"),
        (VIR_ERR_MIGRATE_UNSAFE, VIR_FROM_QEMU, 0, "", "wrong state"),
        (VIR_ERR_AGENT_UNRESPONSIVE, VIR_FROM_QEMU, 0, "", "wrong state"),
        (VIR_ERR_AGENT_UNSYNCED, VIR_FROM_QEMU, 0, "", "wrong state"),
        (VIR_ERR_OPERATION_TIMEOUT, VIR_FROM_QEMU, 0, "", "busy"),
        (VIR_ERR_RESOURCE_BUSY, VIR_FROM_QEMU, 0, "", "busy"),
        (VIR_ERR_OPERATION_FAILED, VIR_FROM_QEMU, 0, "", "other"),
    ];
    let covered: std::collections::BTreeSet<u32> = rows.iter().map(|row| row.0).collect();
    assert!(TABLE.iter().all(|(code, _)| covered.contains(code)), "each row of the table is tested");
    for (code, domain, errno, message, want) in rows {
        let got = from_libvirt(&failure(*code, *domain, *errno, message), Phase::Call);
        assert_eq!(name(&got), *want, "code {code} domain {domain}");
    }
}

#[test]
fn opening_tells_refusal_from_silence_from_distance() {
    use sys::*;
    let rows: &[(u32, u32, i32, &str, &str)] = &[
        (VIR_ERR_SYSTEM_ERROR, VIR_FROM_RPC, 111, "unable to connect to server at 'h:16509'", "service lost"),
        (VIR_ERR_SYSTEM_ERROR, VIR_FROM_RPC, 0, "unable to connect to server: Connection refused", "service lost"),
        (
            VIR_ERR_SYSTEM_ERROR,
            VIR_FROM_RPC,
            2,
            "Failed to connect socket to '/run/libvirt/libvirt-sock'",
            "service lost",
        ),
        (VIR_ERR_SYSTEM_ERROR, VIR_FROM_RPC, 13, "Failed to connect socket", "refused"),
        (VIR_ERR_SYSTEM_ERROR, VIR_FROM_RPC, 113, "unable to connect to server: No route to host", "unreachable"),
        (VIR_ERR_SYSTEM_ERROR, VIR_FROM_RPC, 110, "unable to connect to server: Connection timed out", "unreachable"),
        (VIR_ERR_SYSTEM_ERROR, VIR_FROM_NONE, 111, "Failed to connect", "service lost"),
        (
            VIR_ERR_SYSTEM_ERROR,
            VIR_FROM_RPC,
            5,
            "End of file while reading data: Permission denied (publickey)",
            "refused",
        ),
        (VIR_ERR_OPERATION_DENIED, VIR_FROM_REMOTE, 0, "no", "refused"),
    ];
    for (code, domain, errno, message, want) in rows {
        let got = from_libvirt(&failure(*code, *domain, *errno, message), Phase::Open);
        assert_eq!(name(&got), *want, "errno {errno}: {message}");
    }
}
