//! What the tests of files share.

use std::path::{Path, PathBuf};

/// A directory that goes with the test.
pub(super) struct Scratch(PathBuf);

impl Scratch {
    pub(super) fn new(name: &str) -> Scratch {
        let path = std::env::temp_dir().join(format!("tandem-files-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Scratch(path)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A sine with an amplitude of 8000.
pub(super) fn tone(frequency: f32, rate: u32, length: usize) -> Vec<i16> {
    let angle =
        |n: usize| (n as f64 * f64::from(frequency) / f64::from(rate)).fract() * std::f64::consts::TAU;
    (0..length).map(|n| (angle(n).sin() * 8000.0) as i16).collect()
}

/// The share of the energy of `pcm` at `frequency` (a Goertzel sum), 0 to 1.
pub(super) fn share(pcm: &[i16], frequency: f32, rate: u32) -> f64 {
    let (mut cosine, mut sine, mut energy) = (0.0, 0.0, 0.0);
    for (n, sample) in pcm.iter().enumerate() {
        let angle = n as f64 * f64::from(frequency) * std::f64::consts::TAU / f64::from(rate);
        cosine += f64::from(*sample) * angle.cos();
        sine += f64::from(*sample) * angle.sin();
        energy += f64::from(*sample).powi(2);
    }
    2.0 * (cosine * cosine + sine * sine) / (pcm.len() as f64 * energy)
}
