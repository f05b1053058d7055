//! The beacon chain and what is drawn from it.

use proptest::prelude::*;
use tatau_evidence::beacon::{BeaconError, HashChain, MAX_CHAIN_LENGTH, challenge, follows, place_of_epoch};
use tatau_evidence::{Draw, keccak};
use tatau_model::{AttemptId, Digest};

#[test]
fn every_value_hashes_to_the_one_before() {
    let seed = keccak("seed");
    for length in [1, 2, 1023, 1024, 1025] {
        let chain = HashChain::new(&seed, 0, length).unwrap();
        let mut previous = chain.anchor();
        for i in 1..=length {
            let value = chain.value(i).unwrap();
            assert!(follows(&previous, &value), "value {i} of {length}");
            assert!(!follows(&value, &previous));
            previous = value;
        }
        assert_eq!(chain.value(0), Err(BeaconError::Exhausted { asked: 0, length }));
        assert_eq!(chain.value(length + 1), Err(BeaconError::Exhausted { asked: length + 1, length }));
        assert!(!format!("{chain:?}").contains(&previous.to_string()));
    }
    assert!(HashChain::new(&seed, 0, 0).is_err());
    assert!(HashChain::new(&seed, 0, MAX_CHAIN_LENGTH + 1).is_err());
}

#[test]
fn generations_differ_and_epochs_find_their_place() {
    let seed = keccak("seed");
    let chain = |generation| HashChain::new(&seed, generation, 10).unwrap();
    assert_ne!(chain(0).anchor(), chain(1).anchor());
    assert_eq!(place_of_epoch(0, 10), None);
    assert_eq!(place_of_epoch(1, 0), None);
    let places: Vec<_> = [1, 10, 11, 20, 21].iter().map(|e| place_of_epoch(*e, 10).unwrap()).collect();
    assert_eq!(places, [(0, 1), (0, 10), (1, 1), (1, 10), (2, 1)]);
}

#[test]
fn a_challenge_depends_on_all_it_should() {
    let (a, b) = (Digest([1; 32]), Digest([2; 32]));
    let base = challenge(&a, AttemptId(1), &b);
    assert_eq!(base, challenge(&a, AttemptId(1), &b));
    for other in
        [challenge(&b, AttemptId(1), &b), challenge(&a, AttemptId(2), &b), challenge(&a, AttemptId(1), &a)]
    {
        assert_ne!(base, other);
    }
}

#[test]
fn draws_are_uniform_and_labels_independent() {
    // Deterministic: fixed challenges, so the bounds either hold for ever or never.
    let mut draw = Draw::new(&keccak("uniform"), "test");
    let mut counts = [0u32; 7];
    for _ in 0..70_000 {
        counts[draw.below(7) as usize] += 1;
    }
    // 10,000 each, standard deviation 93.
    assert!(counts.iter().all(|c| c.abs_diff(10_000) < 400), "{counts:?}");
    let happened = (0..100_000).filter(|_| draw.happens(20_000)).count();
    assert!(happened.abs_diff(2_000) < 200, "{happened}");
    assert!(!draw.happens(0) && draw.happens(1_000_000));
    let weights = [1, 0, 3];
    let mut won = [0u32; 3];
    for _ in 0..40_000 {
        won[draw.weighted(&weights).unwrap()] += 1;
    }
    assert!(won[0].abs_diff(10_000) < 400 && won[1] == 0, "{won:?}");
    assert_eq!(draw.weighted(&[0, 0]), None);
    assert_eq!(draw.weighted(&[u64::MAX, 1]), None);
    assert_eq!(draw.pick::<u8>(&[]), None);
    assert_eq!((draw.below(0), draw.below(1)), (0, 0));

    let stream = |label| {
        let mut draw = Draw::new(&keccak("same"), label);
        (0..8).map(|_| draw.below(u64::MAX)).collect::<Vec<_>>()
    };
    assert_eq!(stream("a"), stream("a"));
    assert_ne!(stream("a"), stream("b"));
}

#[test]
fn no_pixel_is_safe() {
    // A 64 x 48 frame, crops of 16 x 16: every pixel's chance is at least 16*16/(79*63) = 5.1%.
    let mut hits = vec![0u32; 64 * 48];
    for round in 0..20_000u32 {
        let mut draw = Draw::new(&keccak(round.to_be_bytes()), "crops");
        for crop in draw.crops(64, 48, 1, 5_000) {
            for y in crop.y..crop.y + crop.h {
                for x in crop.x..crop.x + crop.w {
                    hits[(y * 64 + x) as usize] += 1;
                }
            }
        }
    }
    // 1,029 expected at least, standard deviation 31.
    let least = hits.iter().min().unwrap();
    assert!(*least > 850, "a pixel was covered only {least} times");
}

proptest! {
    #[test]
    fn crops_lie_in_the_frame_and_have_their_size(
        width in 1u32..20_000, height in 1u32..20_000, count in 0u32..20, share in 0u32..1_200_000, seed: [u8; 32],
    ) {
        let crops = Draw::new(&Digest(seed), "crops").crops(width, height, count, share);
        prop_assert_eq!(crops.len(), count as usize);
        for crop in &crops {
            prop_assert!(crop.w >= 16.min(width) && crop.h >= 16.min(height));
            prop_assert!(u64::from(crop.x) + u64::from(crop.w) <= u64::from(width));
            prop_assert!(u64::from(crop.y) + u64::from(crop.h) <= u64::from(height));
            let area = f64::from(crop.w) * f64::from(crop.h);
            let wanted = f64::from(width) * f64::from(height) * f64::from(share.min(1_000_000)) / 1e6;
            // Off only by rounding down one edge, or by the smallest crop.
            let smallest = f64::from(16.min(width)) * f64::from(16.min(height));
            prop_assert!(area <= wanted.max(smallest) + 0.5, "{area} of {wanted}");
            prop_assert!(area >= wanted * 0.93 || area >= wanted - f64::from(crop.w.min(crop.h)), "{area} of {wanted}");
        }
        prop_assert_eq!(crops, Draw::new(&Digest(seed), "crops").crops(width, height, count, share));
    }
}

#[test]
fn an_empty_frame_and_a_huge_one_are_survived() {
    let mut draw = Draw::new(&keccak("x"), "crops");
    assert!(draw.crops(0, 5, 3, 5_000).is_empty());
    assert_eq!(draw.crops(u32::MAX, u32::MAX, u32::MAX, u32::MAX).len(), 1024);
    let whole = draw.crops(10, 10, 1, 5_000);
    assert_eq!((whole[0].x, whole[0].y, whole[0].w, whole[0].h), (0, 0, 10, 10));
}
