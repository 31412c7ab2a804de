//! Credential files as the libvirt client library wants them.

use crate::settings::Settings;
use std::path::Path;

/// libvirt reads TLS files by fixed names from one folder: each credential gets such a folder of
/// links below the state directory.
#[cfg(feature = "libvirt")]
pub(super) fn libvirt_credentials(
    settings: &Settings,
    state_directory: &Path,
) -> std::io::Result<std::collections::BTreeMap<String, crate::hypervisor::libvirt::Credential>> {
    let mut credentials = std::collections::BTreeMap::new();
    for (name, credential) in &settings.credentials {
        let links = [
            ("cacert.pem", &credential.ca),
            ("clientcert.pem", &credential.certificate),
            ("clientkey.pem", &credential.key),
        ];
        let folder = state_directory.join("pki").join(name);
        let mut any = false;
        for (link, target) in links {
            let Some(target) = target else { continue };
            any = true;
            std::fs::create_dir_all(&folder)?;
            let link = folder.join(link);
            // Made anew each time: the setting may name another file now.
            if link.symlink_metadata().is_ok() {
                std::fs::remove_file(&link)?;
            }
            std::os::unix::fs::symlink(target, &link)?;
        }
        credentials.insert(
            name.clone(),
            crate::hypervisor::libvirt::Credential {
                pki_path: any.then_some(folder),
                key_file: credential.ssh_key.clone(),
                known_hosts: credential.known_hosts.clone(),
                auth_file: credential.sasl.clone(),
            },
        );
    }
    Ok(credentials)
}
