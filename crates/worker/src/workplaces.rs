//! What of this machine each card's sessions are given, and which graphics cards work.

use crate::{
    BenchOptions, CardsError, Gpu, Gpus, Inputs, Machine, NodeEvent, NodeOptions, Place, Platform, gpus,
    graphics::Trial,
};
use std::{collections::BTreeMap, path::PathBuf};
use tatau_model::Card;
use tatau_workload::runtime::ENVIRONMENTS;

/// Memory of the machine that a card's session needs at least, beside slots and other cards, MiB.
const LEAST_MIB: u64 = 1_024;

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
    // Those of no class were spoken of.
    cards.retain(|gpu| gpu.card.class().is_some());
    let environments: Vec<&str> =
        ENVIRONMENTS.iter().map(|e| e.name).filter(|name| places.contains_key(*name)).collect();
    if environments.is_empty() {
        for gpu in &mut cards {
            gpu.card.devices.clear();
        }
        return cards;
    }
    let bench = |gpu: &Gpu| {
        let card = Card { threads: machine.threads, ..gpu.card.clone() };
        Workplace::of(gpu, machine.memory_mib).bench(options, places, card)
    };
    let folder = options.data_dir.join("trial");
    Trial { environments: &environments, inputs, folder: &folder, bench: &bench }.run(&mut cards, on).await;
    cards
}

/// Memory evenly among all that works, threads among the slots; and again among the graphics cards, which need them while a scene is
/// opened. Cards that there is no memory for do not work.
pub(crate) fn divide(
    machine: &Machine,
    slots: u32,
    mut gpus: Vec<Gpu>,
    on: &dyn Fn(NodeEvent),
) -> Result<(Vec<Card>, Vec<Workplace>), CardsError> {
    let most = (machine.memory_mib / LEAST_MIB).saturating_sub(u64::from(slots));
    let left_out =
        gpus.iter_mut().filter(|gpu| gpu.card.works()).skip(usize::try_from(most).unwrap_or(usize::MAX));
    for gpu in left_out {
        gpu.card.devices.clear();
        let sentence = format!(
            "the card '{}' is not offered: beside the others there are not {LEAST_MIB} MiB of the machine's memory for it; lend fewer \
             slots, or more memory",
            gpu.card.name
        );
        on(NodeEvent::Warning { sentence });
    }
    let working = gpus.iter().filter(|gpu| gpu.card.works()).count() as u64;
    let memory_mib = machine.memory_mib / (u64::from(slots) + working).max(1);
    let machine = Machine { memory_mib: memory_mib * u64::from(slots), ..machine.clone() };
    let mut cards = machine.slots(slots)?;
    let mut places = vec![Workplace { memory_mib, ..Workplace::default() }; cards.len()];
    let threads = (u64::from(machine.threads) / working.max(1)).max(1);
    for gpu in gpus {
        places.push(Workplace::of(&gpu, memory_mib));
        // A scene has to fit into its session as well as onto the card.
        let memory_mib = gpu.card.memory_mib.min(memory_mib);
        cards.push(Card { memory_mib, threads: u32::try_from(threads).unwrap_or(1), ..gpu.card });
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
        let (cards, places) = divide(&machine, 2, gpus, &|event| panic!("{event:?}")).unwrap();
        let memory: Vec<u64> = places.iter().map(|place| place.memory_mib).collect();
        assert_eq!(memory, [2_000; 5]);
        assert_eq!(cards.iter().map(|card| card.threads).collect::<Vec<_>>(), [4, 4, 4, 4, 4]);
        assert_eq!(
            cards.iter().map(|card| card.memory_mib).collect::<Vec<_>>(),
            [2_000; 5],
            "what is offered is what a session has, however much lies on the card"
        );
        assert_eq!(cards.iter().filter(|card| card.works()).count(), 4);
        assert_eq!(places[2].number, Some(0));
    }

    #[test]
    fn a_rig_of_little_memory_starts_with_as_many_cards_as_it_can_feed() {
        let machine = Machine { processor: "X".into(), threads: 2, memory_mib: 3_500 };
        let told = std::cell::RefCell::new(Vec::new());
        let gpus = vec![gpu(&[Device::Cuda]); 8];
        let (cards, places) = divide(&machine, 1, gpus, &|event| told.borrow_mut().push(event)).unwrap();
        assert_eq!(cards.iter().filter(|card| card.works()).count(), 1 + 2);
        assert_eq!((places[0].memory_mib, told.borrow().len()), (1_166, 6));
    }
}
