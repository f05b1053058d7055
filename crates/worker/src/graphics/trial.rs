//! Trying cards: each renders a small picture in the sandbox that its work would run in, and the processor the same.

use super::Gpu;
use crate::{Bench, BenchOptions, Fault, Inputs, InputsError, NodeEvent, Platform, Stage};
use std::{collections::HashMap, path::Path};
use tatau_model::{AuditId, Device};
use tatau_workload::order::check_order;

/// A trial takes seconds; where a driver compiles kernels first, minutes.
const LIMIT_MS: u64 = 10 * 60_000;

/// Where cards are tried.
pub(crate) struct Trial<'a, P> {
    /// The environments that render; a device has to in all of them.
    pub environments: &'a [&'a str],
    /// Lays out requests.
    pub inputs: &'a Inputs<P>,
    /// A folder for what a trial leaves.
    pub folder: &'a Path,
    /// How a bench for a card is made.
    pub bench: &'a (dyn Fn(&Gpu) -> BenchOptions + Sync),
}

impl<P: Platform> Trial<'_, P> {
    /// Leaves each card the devices that rendered what the processor renders. Cards of one name are tried once: the first stands for
    /// all, and each one's own benchmark follows.
    pub async fn run(&self, gpus: &mut [Gpu], on: &(dyn Fn(NodeEvent) + Send + Sync)) {
        let mut known: HashMap<String, Vec<Device>> = HashMap::new();
        for gpu in gpus.iter_mut().filter(|gpu| !gpu.card.devices.is_empty()) {
            if let Some(devices) = known.get(&gpu.card.name) {
                gpu.card.devices.retain(|device| devices.contains(device));
                continue;
            }
            let mut sound = Vec::new();
            for device in gpu.card.devices.clone() {
                let what = format!("{} ({})", gpu.card.name, device.name());
                let tell = |stage| on(NodeEvent::Provisioning { environment: what.clone(), stage });
                tell(Stage::Checking);
                match self.try_all(gpu, device).await {
                    Ok(()) => {
                        tell(Stage::Ready);
                        sound.push(device);
                    }
                    Err(fault) => {
                        let sentence = format!("{what} is not offered: {}", fault.sentence);
                        on(NodeEvent::Warning { sentence });
                    }
                }
            }
            gpu.card.devices.clone_from(&sound);
            known.insert(gpu.card.name.clone(), sound);
        }
    }

    async fn try_all(&self, gpu: &Gpu, device: Device) -> Result<(), Fault> {
        for environment in self.environments {
            self.try_one(gpu, device, environment).await?;
        }
        Ok(())
    }

    async fn try_one(&self, gpu: &Gpu, device: Device, environment: &str) -> Result<(), Fault> {
        let disk = |e: std::io::Error| Fault::new("disk", format!("the trial's folder cannot be used: {e}"));
        let holder = AuditId::default().to_string();
        let order = check_order(&holder, environment, device, LIMIT_MS);
        let prepared = self.inputs.prepare(&holder, &order).await.map_err(|e| match e {
            InputsError::Fault(fault) => fault,
            InputsError::Platform(error) => Fault::new("disk", error.to_string()),
        })?;
        let _ = std::fs::remove_dir_all(self.folder);
        std::fs::create_dir_all(self.folder).map_err(disk)?;
        let mut bench = Bench::new((self.bench)(gpu));
        let ran = bench.run(&prepared, self.folder, &mut |_| {}).await;
        bench.close().await;
        let _ = std::fs::remove_dir_all(self.folder);
        ran.map(drop)
    }
}
