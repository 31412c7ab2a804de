//! Real QEMU, driven in the process by `qemu:///embed`.
