//! The built-in networks on the first adapter of this computer, in software if there is no other.
//! Skipped with a reason where there is none.

use std::time::Instant;

use hitscribe_models::device::{Device, DeviceChoice, GpuChoice, select};

use super::{parity_drums, parity_joint, parity_pitched};

/// Runs `test` on the adapter. Prints how long that took.
fn on_gpu(name: &str, test: fn(Device)) {
    match select(&DeviceChoice::Gpu(GpuChoice::Number(0))) {
        Ok(selected) => {
            let began = Instant::now();
            test(selected.device);
            eprintln!("{name} on {}: {:.1?}", selected.device, began.elapsed());
        }
        Err(error) => eprintln!("skipped: {error}"),
    }
}

#[test]
fn independent_drums() {
    on_gpu("independent drums", parity_drums::outputs_equal_pytorch);
}

#[test]
fn joint_drums() {
    on_gpu("joint drums", parity_joint::outputs_equal_pytorch);
}

#[test]
fn pitched() {
    on_gpu("pitched", parity_pitched::outputs_equal_pytorch);
}
