//! The authentication line: what is accepted, and one sentence for each refusal.

use proptest::prelude::*;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use tatau_evidence::request::sign_request_for;
use tatau_evidence::{AuthError, Sent, SigningKey, Verified, check_request, sign_request};
use tatau_model::{Address, Digest, Millis};

const SERVER: &str = "https://farm.example";

const NOW: Millis = Millis(1_800_000_000_000);
const WINDOW: u64 = 30_000;

fn key(seed: u64) -> SigningKey {
    SigningKey::generate(&mut ChaCha20Rng::seed_from_u64(seed))
}

fn get(path_and_query: &str) -> Sent<'_> {
    Sent { server: SERVER, method: "GET", path_and_query, body: b"" }
}

/// As the server that [`get`] names checks it.
fn check(header: &str, method: &str, path: &str, body: &[u8], now: Millis) -> Result<Verified, AuthError> {
    check_request(header, |named| named == SERVER, method, path, body, now, WINDOW)
}

#[test]
fn a_request_is_bound_to_method_path_body_and_time() {
    let (key, nonce) = (key(1), Digest([9; 32]));
    let sent = Sent { method: "POST", body: b"{}", ..get("/v1/jobs?x=1") };
    let header = sign_request(&key, &sent, NOW, nonce);
    let check = |method, path, body: &[u8], now| check(&header, method, path, body, now);
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
fn a_request_is_of_no_use_to_another_server() {
    let header = sign_request(&key(1), &get("/v1/me"), NOW, Digest([1; 32]));
    let other = "https://other.example";
    let at_other =
        |header: &str| check_request(header, |named| named == other, "GET", "/v1/me", b"", NOW, WINDOW);
    assert_eq!(at_other(&header), Err(AuthError::OtherServer(SERVER.into())));
    // Writing the other's name over it does not help: the name is signed.
    let renamed = header.replace(SERVER, other);
    assert_eq!(at_other(&renamed), Err(AuthError::WrongSignature(key(1).address())));
}

#[test]
fn acting_for_another_is_signed_too() {
    let (key, owner) = (key(1), Address([5; 20]));
    let header = sign_request_for(&key, owner, &get("/v1/me"), NOW, Digest([1; 32]));
    let verified = check(&header, "GET", "/v1/me", b"", NOW).unwrap();
    assert_eq!(verified.on_behalf, Some(owner));
    let stripped = header.rsplit_once(' ').unwrap().0;
    assert!(check(stripped, "GET", "/v1/me", b"", NOW).is_err());
    let zero = format!("{stripped} 0x{}", "00".repeat(20));
    assert_eq!(check(&zero, "GET", "/v1/me", b"", NOW), Err(AuthError::Malformed));
}

#[test]
fn another_s_address_does_not_fit() {
    let header = sign_request(&key(1), &get("/"), NOW, Digest([1; 32]));
    let forged = header.replace(&key(1).address().to_string(), &key(2).address().to_string());
    let answer = check(&forged, "GET", "/", b"", NOW);
    assert_eq!(answer, Err(AuthError::WrongSignature(key(2).address())));
}

#[test]
fn other_text_is_malformed() {
    let long = format!("Tatau {}", "a ".repeat(1000));
    let signed = sign_request(&key(1), &get("/"), NOW, Digest([1; 32]));
    let negative = signed.replace("1800000000000", "-1800000000000");
    for header in [
        "",
        "Tatau",
        "Bearer x",
        "Tatau a b c d e",
        "Tatau  1 2 3 4",
        &long,
        &negative,
        &signed.to_lowercase(),
    ] {
        assert_eq!(check(header, "GET", "/", b"", NOW), Err(AuthError::Malformed), "{header}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(header in ".{0,300}", method in ".{0,9}", path in ".{0,50}") {
        prop_assert!(check(&header, &method, &path, b"", NOW).is_err());
    }

    #[test]
    fn any_changed_character_is_refused(at in 0usize..300, to in "[0-9a-fx ]") {
        let header = sign_request(&key(1), &get("/"), NOW, Digest([0xab; 32]));
        let at = at % header.len();
        let mut changed = header.clone();
        changed.replace_range(at..=at, &to);
        prop_assume!(changed != header);
        prop_assert!(check(&changed, "GET", "/", b"", NOW).is_err());
    }
}
