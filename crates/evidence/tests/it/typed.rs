//! Typed data against digests computed by hand, and what tampering does.

use proptest::prelude::*;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use tatau_evidence::{
    AuditCommitment, Delegation, Domain, Signature, SignatureError, SigningKey, check_receipt, keccak,
    keccak_of, receipt_digest, recover, sign_receipt, verify,
};
use tatau_model::{Address, AttemptId, AuditId, Digest, JobId, Millis, Receipt, TaskId};

fn key(seed: u64) -> SigningKey {
    SigningKey::generate(&mut ChaCha20Rng::seed_from_u64(seed))
}

fn word(number: u64) -> [u8; 32] {
    let mut word = [0; 32];
    word[24..].copy_from_slice(&number.to_be_bytes());
    word
}

fn padded(address: Address) -> [u8; 32] {
    let mut word = [0; 32];
    word[12..].copy_from_slice(&address.0);
    word
}

/// The domain separator, spelt out from EIP-712.
fn separator(chain: u64, contract: Address) -> Digest {
    keccak_of(&[
        &keccak("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)").0,
        &keccak("Tatau").0,
        &keccak("1").0,
        &word(chain),
        &padded(contract),
    ])
}

fn receipt() -> Receipt {
    Receipt {
        manifest_root: Digest([1; 32]),
        trace_root: Digest([2; 32]),
        units: 3,
        claimed_ms: 4,
        energy_j: 5,
        signature: String::new(),
    }
}

#[test]
fn the_address_and_signature_are_those_of_ethereum() {
    // A key that every Ethereum tool knows, and EIP-712's own example: the Mail struct signed by keccak("cow").
    let known =
        SigningKey::from_hex("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80").unwrap();
    assert_eq!(known.address().to_string(), "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266");
    let cow = SigningKey::from_bytes(keccak("cow").0).unwrap();
    assert_eq!(cow.address().to_string(), "0xcd2a3d9f938e13cd947ec05abc7fe734df8dd826");
    let digest: Digest =
        "0xbe609aee343fb3c4b28e1df9e632fca64fcfaede20f02e86244efddf30957bd2".parse().unwrap();
    let expected = "0x4355c47d63924e8a72e509b65029052eb6c299d53a04e167c5775fd466751c9d\
                    07299936d304c153f6443dfa05f40ff007d72911b6f72307f996231605b915621c";
    assert_eq!(cow.sign(&digest).to_string(), expected);
    assert_eq!(recover(&digest, &expected.parse().unwrap()).unwrap(), cow.address());
}

#[test]
fn digests_are_those_of_the_standard() {
    let contract = Address([0xab; 20]);
    assert_eq!(Domain::default().separator(), separator(0, Address([0; 20])));
    assert_eq!(Domain::on_chain(31337, contract).separator(), separator(31337, contract));

    let node = Address([7; 20]);
    let by_hand = keccak_of(&[
        &keccak(
            "Receipt(uint64 attempt,uint64 task,uint64 job,address node,bytes32 manifestRoot,bytes32 traceRoot,\
             uint64 units,uint64 claimedMs,uint64 energyJ)",
        )
        .0,
        &word(11),
        &word(12),
        &word(13),
        &padded(node),
        &[1; 32],
        &[2; 32],
        &word(3),
        &word(4),
        &word(5),
    ]);
    let expected = keccak_of(&[&[0x19, 0x01], &separator(0, Address([0; 20])).0, &by_hand.0]);
    let got = receipt_digest(&Domain::default(), AttemptId(11), TaskId(12), JobId(13), node, &receipt());
    assert_eq!(got, expected);

    let by_hand = keccak_of(&[
        &keccak("Delegation(address owner,address node,uint64 expires)").0,
        &padded(contract),
        &padded(node),
        &word(99),
    ]);
    let expected = keccak_of(&[&[0x19, 0x01], &separator(0, Address([0; 20])).0, &by_hand.0]);
    let delegation = Delegation { owner: contract, node, expires: Millis(99) };
    assert_eq!(delegation.digest(&Domain::default()), expected);

    let by_hand = keccak_of(&[
        &keccak("AuditCommitment(uint64 audit,address node,bytes32 filesRoot)").0,
        &word(5),
        &padded(node),
        &[9; 32],
    ]);
    let expected = keccak_of(&[&[0x19, 0x01], &separator(0, Address([0; 20])).0, &by_hand.0]);
    let commitment = AuditCommitment { audit: AuditId(5), node, files_root: Digest([9; 32]) };
    assert_eq!(commitment.digest(&Domain::default()), expected);
}

#[test]
fn a_receipt_counts_for_its_lease_node_and_domain_only() {
    let (domain, node) = (Domain::default(), key(1));
    let (a, t, j) = (AttemptId(1), TaskId(2), JobId(3));
    let mut signed = receipt();
    sign_receipt(&domain, &node, a, t, j, &mut signed);
    let who = node.address();
    check_receipt(&domain, a, t, j, who, &signed).unwrap();

    let other = Domain::on_chain(1, Address([0; 20]));
    let wrong =
        |result: Result<(), SignatureError>| matches!(result, Err(SignatureError::WrongSigner { .. }));
    assert!(wrong(check_receipt(&other, a, t, j, who, &signed)));
    assert!(wrong(check_receipt(&domain, AttemptId(9), t, j, who, &signed)));
    assert!(wrong(check_receipt(&domain, a, TaskId(9), j, who, &signed)));
    assert!(wrong(check_receipt(&domain, a, t, JobId(9), who, &signed)));
    assert!(wrong(check_receipt(&domain, a, t, j, key(2).address(), &signed)));
    for tampered in [
        Receipt { manifest_root: Digest([0; 32]), ..signed.clone() },
        Receipt { trace_root: Digest([0; 32]), ..signed.clone() },
        Receipt { units: 4, ..signed.clone() },
        Receipt { claimed_ms: 0, ..signed.clone() },
        Receipt { energy_j: 6, ..signed.clone() },
    ] {
        assert!(wrong(check_receipt(&domain, a, t, j, who, &tampered)));
    }
    for text in ["", "0x", "0x00", &"ff".repeat(65), &"00".repeat(66)] {
        let tampered = Receipt { signature: text.into(), ..signed.clone() };
        assert_eq!(check_receipt(&domain, a, t, j, who, &tampered), Err(SignatureError::Malformed), "{text}");
    }
}

#[test]
fn the_other_form_of_a_signature_is_refused() {
    // n - s with the other v recovers to the same key in a naive implementation.
    let order = hex::decode("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141").unwrap();
    let digest = keccak("x");
    let low = key(3).sign(&digest);
    let mut high = low.0;
    let mut borrow = 0i16;
    for i in (0..32).rev() {
        let value = i16::from(order[i]) - i16::from(low.0[32 + i]) - borrow;
        borrow = i16::from(value < 0);
        high[32 + i] = value.rem_euclid(256) as u8;
    }
    high[64] = 55 - high[64];
    assert_eq!(verify(&digest, &Signature(high), key(3).address()), Err(SignatureError::Malformed));
}

#[test]
fn delegations_expire_and_bind_both_keys() {
    let (domain, owner, node) = (Domain::default(), key(1), key(2).address());
    let delegation = Delegation { owner: owner.address(), node, expires: Millis(1000) };
    let signature = delegation.sign(&domain, &owner);
    delegation.check(&domain, &signature).unwrap();
    assert!(Delegation { expires: Millis(1001), ..delegation }.check(&domain, &signature).is_err());
    assert!(Delegation { node: key(3).address(), ..delegation }.check(&domain, &signature).is_err());
    assert!(delegation.check(&domain, &delegation.sign(&domain, &key(2))).is_err());
    assert!(delegation.counts_at(Millis(999)) && !delegation.counts_at(Millis(1000)));
}

#[test]
fn a_key_is_never_printed() {
    let key = key(4);
    assert!(!format!("{key:?}").contains(&key.to_hex()));
    assert!(SigningKey::from_hex(&"00".repeat(32)).is_err());
    assert!(SigningKey::from_hex(&"ff".repeat(32)).is_err());
    assert!(SigningKey::from_hex("12").is_err());
}

proptest! {
    #[test]
    fn any_changed_bit_breaks_a_signature(seed: u64, contents: [u8; 32], bit in 0usize..65 * 8) {
        let (key, digest) = (key(seed), Digest(contents));
        let signature = key.sign(&digest);
        verify(&digest, &signature, key.address())?;
        prop_assert_eq!(signature.to_string().parse::<Signature>()?, signature);
        let mut changed = signature;
        changed.0[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(verify(&digest, &changed, key.address()).is_err());
        let mut changed = digest;
        changed.0[bit % 32] ^= 1;
        prop_assert!(verify(&changed, &signature, key.address()).is_err());
    }
}
