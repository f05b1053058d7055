//! The authentication line: what is accepted, and one sentence for each refusal.

use proptest::prelude::*;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use tatau_evidence::request::sign_request_for;
use tatau_evidence::{AuthError, SigningKey, check_request, sign_request};
use tatau_model::{Address, Digest, Millis};

const NOW: Millis = Millis(1_800_000_000_000);
const WINDOW: u64 = 30_000;

fn key(seed: u64) -> SigningKey {
    SigningKey::generate(&mut ChaCha20Rng::seed_from_u64(seed))
}

#[test]
fn a_request_is_bound_to_method_path_body_and_time() {
    let (key, nonce) = (key(1), Digest([9; 32]));
    let header = sign_request(&key, "POST", "/v1/jobs?x=1", b"{}", NOW, nonce);
    let check = |method, path, body: &[u8], now| check_request(&header, method, path, body, now, WINDOW);
    let verified = check("POST", "/v1/jobs?x=1", b"{}", NOW).unwrap();
    assert_eq!((verified.signer, verified.nonce), (key.address(), nonce));
    assert_eq!((verified.timestamp, verified.on_behalf), (NOW, None));

    let wrong = Err(AuthError::WrongSignature(key.address()));
    assert_eq!(check("PUT", "/v1/jobs?x=1", b"{}", NOW), wrong);
    assert_eq!(check("POST", "/v1/jobs", b"{}", NOW), wrong);
    assert_eq!(check("POST", "/v1/jobs?x=1", b"", NOW), wrong);
    let late = check("POST", "/v1/jobs?x=1", b"{}", NOW.plus(95_000));
    assert_eq!(late, Err(AuthError::TooOld { seconds: 95, window: 30 }));
    assert!(late.unwrap_err().to_string().contains("95 s ago"));
    assert!(check("POST", "/v1/jobs?x=1", b"{}", NOW.plus(WINDOW)).is_ok());
    let early = check("POST", "/v1/jobs?x=1", b"{}", Millis(NOW.0 - 40_000));
    assert_eq!(early, Err(AuthError::FromFuture { seconds: 40, window: 30 }));
}

#[test]
fn acting_for_another_is_signed_too() {
    let (key, owner) = (key(1), Address([5; 20]));
    let header = sign_request_for(&key, owner, "GET", "/v1/me", b"", NOW, Digest([1; 32]));
    let verified = check_request(&header, "GET", "/v1/me", b"", NOW, WINDOW).unwrap();
    assert_eq!(verified.on_behalf, Some(owner));
    let stripped = header.rsplit_once(' ').unwrap().0;
    assert!(check_request(stripped, "GET", "/v1/me", b"", NOW, WINDOW).is_err());
    let zero = format!("{stripped} 0x{}", "00".repeat(20));
    assert_eq!(check_request(&zero, "GET", "/v1/me", b"", NOW, WINDOW), Err(AuthError::Malformed));
}

#[test]
fn another_s_address_does_not_fit() {
    let header = sign_request(&key(1), "GET", "/", b"", NOW, Digest([1; 32]));
    let forged = header.replace(&key(1).address().to_string(), &key(2).address().to_string());
    let answer = check_request(&forged, "GET", "/", b"", NOW, WINDOW);
    assert_eq!(answer, Err(AuthError::WrongSignature(key(2).address())));
}

#[test]
fn other_text_is_malformed() {
    let long = format!("Tatau {}", "a ".repeat(1000));
    let signed = sign_request(&key(1), "GET", "/", b"", NOW, Digest([1; 32]));
    let negative = signed.replace("1800000000000", "-1800000000000");
    for header in
        ["", "Tatau", "Bearer x", "Tatau a b c d", "Tatau  1 2 3", &long, &negative, &signed.to_lowercase()]
    {
        assert_eq!(
            check_request(header, "GET", "/", b"", NOW, WINDOW),
            Err(AuthError::Malformed),
            "{header}"
        );
    }
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(header in ".{0,300}", method in ".{0,9}", path in ".{0,50}") {
        prop_assert!(check_request(&header, &method, &path, b"", NOW, WINDOW).is_err());
    }

    #[test]
    fn any_changed_character_is_refused(at in 0usize..250, to in "[0-9a-fx ]") {
        let header = sign_request(&key(1), "GET", "/", b"", NOW, Digest([0xab; 32]));
        let at = at % header.len();
        let mut changed = header.clone();
        changed.replace_range(at..=at, &to);
        prop_assume!(changed != header);
        prop_assert!(check_request(&changed, "GET", "/", b"", NOW, WINDOW).is_err());
    }
}
