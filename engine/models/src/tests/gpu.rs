//! The parity suite of the MT3 family on the first adapter of this computer, in software if there is
//! no other. Skipped with a reason where there is none.

use std::time::Instant;

use super::on::On;
use super::{parity_mt3, parity_yourmt3, tiny};
use crate::device::{Device, DeviceChoice, Gpu, GpuChoice, select};

/// Largest difference from the golden values.
const TOLERANCE: f32 = 1e-3;

/// Runs `test` on the adapter. Prints how long that took.
fn on_gpu(name: &str, test: fn(&On<Gpu>)) {
    let device = match select(&DeviceChoice::Gpu(GpuChoice::Number(0))) {
        Ok(selected) => selected.device,
        Err(error) => {
            eprintln!("skipped: {error}");
            return;
        }
    };
    let Device::Gpu { .. } = device else {
        panic!("{device} was selected");
    };
    let began = Instant::now();
    let on = On {
        device: device.dispatch(),
        loosest: TOLERANCE,
    };
    device.guard(|| test(&on)).unwrap();
    eprintln!("{name} on {device}: {:.1?}", began.elapsed());
}

#[test]
fn tiny_network() {
    on_gpu("tiny", tiny::equals_its_twin);
}

#[test]
fn mt3_and_mr_mt3() {
    on_gpu("MT3, MR-MT3", parity_mt3::tiny);
}

#[test]
fn yourmt3() {
    on_gpu("YourMT3", parity_yourmt3::tiny);
}

#[test]
fn full_size_mt3_and_mr_mt3() {
    on_gpu("full-size MT3, MR-MT3", parity_mt3::full_size);
}

#[test]
fn full_size_yourmt3() {
    on_gpu("full-size YourMT3", parity_yourmt3::full_size);
}
