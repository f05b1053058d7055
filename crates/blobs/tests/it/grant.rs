//! Grants: what was granted, until when, and nothing else.

use proptest::prelude::*;
use tatau_blobs::{GrantError, GrantKey, Operation};
use tatau_model::{BlobId, Millis};

const END: Millis = Millis(1_800_000_000_000);
const BLOB: BlobId = BlobId([3; 32]);

fn key() -> GrantKey {
    GrantKey::new([7; 32])
}

#[test]
fn a_grant_counts_for_its_blob_operation_and_time() {
    let query = key().grant(Operation::Get, &BLOB, 500, END);
    let now = Millis(END.0 - 1);
    assert_eq!(key().check(&query, Operation::Get, &BLOB, now), Ok(500));
    assert_eq!(key().check(&query, Operation::Put, &BLOB, now), Err(GrantError::Forged));
    assert_eq!(key().check(&query, Operation::Get, &BlobId([4; 32]), now), Err(GrantError::Forged));
    assert_eq!(GrantKey::new([8; 32]).check(&query, Operation::Get, &BLOB, now), Err(GrantError::Forged));
    let late = key().check(&query, Operation::Get, &BLOB, END.plus(5000));
    assert_eq!(late, Err(GrantError::Expired(5000)));
    assert_eq!(late.unwrap_err().to_string(), "the address was valid until 5 s ago; ask for a new one");
    for (from, to) in [("bytes=500", "bytes=501"), ("expires=18", "expires=19"), ("op=get", "op=put")] {
        let forged = query.replace(from, to);
        assert_eq!(key().check(&forged, Operation::Get, &BLOB, now), Err(GrantError::Forged));
        assert_eq!(key().check(&forged, Operation::Put, &BLOB, now), Err(GrantError::Forged));
    }
    for bad in ["", "op=get", &format!("{query}&x=1"), &query.replace("mac=", "mac=00"), &query[1..]] {
        assert_eq!(key().check(bad, Operation::Get, &BLOB, now), Err(GrantError::Malformed));
    }
    assert!(!format!("{:?}", key()).contains('7'));
}

proptest! {
    #[test]
    fn any_changed_character_is_refused(at in 0usize..200, to in "[0-9a-z=&]") {
        let query = key().grant(Operation::Put, &BLOB, 500, END);
        let at = at % query.len();
        let mut changed = query.clone();
        changed.replace_range(at..=at, &to);
        prop_assume!(changed != query);
        prop_assert!(key().check(&changed, Operation::Put, &BLOB, Millis(0)).is_err());
    }

    #[test]
    fn no_text_makes_it_panic(query in ".{0,200}") {
        prop_assert!(key().check(&query, Operation::Get, &BLOB, Millis(0)).is_err());
    }
}
