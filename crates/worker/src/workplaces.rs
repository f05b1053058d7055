//! What of this machine each card's sessions are given, and which graphics cards work.

use crate::{
    BenchOptions, CardsError, Gpu, Gpus, Inputs, Machine, NodeEvent, NodeOptions, Place, Platform, gpus,
    graphics::Trial,
};
use std::{collections::BTreeMap, path::PathBuf};
use tatau_model::Card;
use tatau_workload::runtime::ENVIRONMENTS;

/// What a card's sessions are given of the machine.
#[derive(Debug, Clone, Default)]
pub(crate) struct Workplace {
    /// NVIDIA's number of the card.
    pub(crate) number: Option<u32>,
    memory_mib: u64,
    nodes: Vec<PathBuf>,
    shown: Vec<PathBuf>,
}

impl Workplace {
    fn of(gpu: &Gpu, memory_mib: u64) -> Self {
        Self { number: gpu.number, memory_mib, nodes: gpu.nodes.clone(), shown: gpu.shown.clone() }
    }

    pub(crate) fn bench(
        self,
        options: &NodeOptions,
        places: &BTreeMap<String, Place>,
        card: Card,
    ) -> BenchOptions {
        BenchOptions {
            places: places.clone(),
            runner: options.runner.clone(),
            runner_args: options.runner_args.clone(),
            card,
            memory_mib: self.memory_mib,
            devices: self.nodes,
            shown: self.shown,
            most_sessions: 1,
            idle: options.idle,
        }
    }
}

/// This machine, as far as it is lent.
pub(crate) fn machine(options: &NodeOptions) -> Result<Machine, CardsError> {
    let mut machine = Machine::read()?;
    machine.threads = options.threads.unwrap_or(machine.threads);
    machine.memory_mib = options.memory_mib.unwrap_or(machine.memory_mib);
    Ok(machine)
}

/// The graphics cards, each with the devices that it was seen to render on.
pub(crate) async fn graphics<P: Platform>(
    options: &NodeOptions,
    machine: &Machine,
    places: &BTreeMap<String, Place>,
    inputs: &Inputs<P>,
    on: &(dyn Fn(NodeEvent) + Send + Sync),
) -> Vec<Gpu> {
    let Gpus { mut cards, warnings, refused } = match &options.graphics {
        Some(cards) => Gpus { cards: cards.clone(), ..Gpus::default() },
        None => gpus(),
    };
    for sentence in warnings.into_iter().chain(refused) {
        on(NodeEvent::Warning { sentence });
    }
    cards.retain(|gpu| {
        let known = gpu.card.class().is_some();
        // One that cannot render was spoken of.
        if !known && !gpu.card.devices.is_empty() {
            let name = &gpu.card.name;
            let sentence = format!("the card '{name}' is in no class of the platform yet; it is left out");
            on(NodeEvent::Warning { sentence });
        }
        known
    });
    let rendering = ENVIRONMENTS.iter().map(|e| e.name).find(|name| places.contains_key(*name));
    let Some(environment) = rendering.filter(|_| !cards.is_empty()) else {
        for gpu in &mut cards {
            gpu.card.devices.clear();
        }
        return cards;
    };
    let bench = |gpu: &Gpu| {
        let card = Card { threads: machine.threads, ..gpu.card.clone() };
        Workplace::of(gpu, machine.memory_mib).bench(options, places, card)
    };
    let folder = options.data_dir.join("trial");
    Trial { environment, inputs, folder: &folder, bench: &bench }.run(&mut cards, on).await;
    cards
}

/// Memory evenly among all that works, threads among the slots; and again among the graphics cards, which need them while a scene is
/// opened.
pub(crate) fn divide(
    machine: &Machine,
    slots: u32,
    gpus: Vec<Gpu>,
) -> Result<(Vec<Card>, Vec<Workplace>), CardsError> {
    let working = gpus.iter().filter(|gpu| gpu.card.works()).count() as u64;
    let memory_mib = machine.memory_mib / (u64::from(slots) + working).max(1);
    let machine = Machine { memory_mib: memory_mib * u64::from(slots), ..machine.clone() };
    let mut cards = machine.slots(slots)?;
    let mut places = vec![Workplace { memory_mib, ..Workplace::default() }; cards.len()];
    let threads = (u64::from(machine.threads) / working.max(1)).max(1);
    for gpu in gpus {
        places.push(Workplace::of(&gpu, memory_mib));
        cards.push(Card { threads: u32::try_from(threads).unwrap_or(1), ..gpu.card });
    }
    Ok((cards, places))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tatau_model::{CardKind, Device};

    fn gpu(devices: &[Device]) -> Gpu {
        let card = Card {
            kind: CardKind::Gpu,
            name: "NVIDIA GeForce RTX 3080".into(),
            memory_mib: 10_240,
            threads: 1,
            devices: devices.to_vec(),
            score_milli: None,
        };
        Gpu { number: Some(0), card, nodes: vec!["/dev/nvidia0".into()], shown: vec![] }
    }

    #[test]
    fn what_works_shares_the_memory_and_what_does_not_takes_none() {
        let machine = Machine { processor: "X".into(), threads: 8, memory_mib: 8_000 };
        let gpus = vec![gpu(&[Device::Optix]), gpu(&[]), gpu(&[Device::Cuda])];
        let (cards, places) = divide(&machine, 2, gpus).unwrap();
        let memory: Vec<u64> = places.iter().map(|place| place.memory_mib).collect();
        assert_eq!(memory, [2_000; 5]);
        assert_eq!(cards.iter().map(|card| card.threads).collect::<Vec<_>>(), [4, 4, 4, 4, 4]);
        assert_eq!(
            cards.iter().map(|card| card.memory_mib).collect::<Vec<_>>(),
            [2_000, 2_000, 10_240, 10_240, 10_240]
        );
        assert_eq!(cards.iter().filter(|card| card.works()).count(), 4);
        assert_eq!(places[2].number, Some(0));
    }
}
