//! The books: balances in memory, changed by entries only.

use crate::{AccountKey, Entry, EntryKind, Leg};
use std::collections::{BTreeMap, HashMap};
use tatau_model::{Amount, AmountError, Millis};

/// Why an entry was refused; the books are as before.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// The account does not hold that much.
    #[error("{account} holds {holds} TATAU, {needs} are needed")]
    TooLittle {
        /// Which account.
        account: AccountKey,
        /// Its balance.
        holds: Amount,
        /// What would be taken.
        needs: Amount,
    },
    /// The legs do not sum to zero, or one is zero or there are too many.
    #[error("the entry is not balanced: its legs sum to {0} nano-TATAU")]
    Unbalanced(i64),
    /// Journal numbers must follow each other.
    #[error("journal entry {given} does not follow {last}")]
    OutOfOrder {
        /// The entry's number.
        given: u64,
        /// The last number in the books.
        last: u64,
    },
    /// Arithmetic.
    #[error(transparent)]
    Amount(#[from] AmountError),
}

/// Balances of every account that holds something.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Books {
    balances: HashMap<AccountKey, Amount>,
    last: u64,
}

impl Books {
    /// Books as loaded: balances, and the number of the last entry. Fails if they are not conserved.
    pub fn load(
        balances: impl IntoIterator<Item = (AccountKey, Amount)>,
        last: u64,
    ) -> Result<Self, LedgerError> {
        let balances = balances.into_iter().filter(|(_, a)| a.0 != 0).collect();
        let books = Self { balances, last };
        books.check()?;
        Ok(books)
    }

    /// The balance; an account that never had an entry holds nothing.
    pub fn balance(&self, account: &AccountKey) -> Amount {
        self.balances.get(account).copied().unwrap_or(Amount::ZERO)
    }

    /// Number of the last entry.
    pub fn last(&self) -> u64 {
        self.last
    }

    /// All balances that are not zero.
    pub fn iter(&self) -> impl Iterator<Item = (&AccountKey, &Amount)> {
        self.balances.iter()
    }

    /// Applies a drafted entry, whole or not at all.
    pub fn apply(&mut self, entry: &Entry) -> Result<(), LedgerError> {
        let after = validate(entry, self.last, |account| self.balance(account))?;
        for (account, amount) in after {
            if amount.0 == 0 {
                self.balances.remove(&account);
            } else {
                self.balances.insert(account, amount);
            }
        }
        self.last = entry.id;
        Ok(())
    }

    /// Conservation: everything sums to zero, and only `outside` is below zero.
    pub fn check(&self) -> Result<(), LedgerError> {
        let sum: i128 = self.balances.values().map(|a| i128::from(a.0)).sum();
        if sum != 0 {
            return Err(LedgerError::Unbalanced(i64::try_from(sum).unwrap_or(i64::MAX)));
        }
        match self.balances.iter().find(|(k, a)| a.0 < 0 && !k.may_be_negative()) {
            Some((account, amount)) => {
                Err(LedgerError::TooLittle { account: *account, holds: *amount, needs: Amount::ZERO })
            }
            None => Ok(()),
        }
    }
}

/// One leg an account for moves from, to, amount; zero legs left out.
fn legs(moves: &[(AccountKey, AccountKey, Amount)]) -> Result<Vec<Leg>, LedgerError> {
    let mut sums: BTreeMap<AccountKey, Amount> = BTreeMap::new();
    for &(from, to, amount) in moves {
        if amount.0 < 0 {
            return Err(LedgerError::Unbalanced(amount.0));
        }
        let gives = sums.entry(from).or_default();
        *gives = gives.sub(amount)?;
        let gains = sums.entry(to).or_default();
        *gains = gains.add(amount)?;
    }
    Ok(sums.into_iter().filter(|(_, a)| a.0 != 0).map(|(account, amount)| Leg { account, amount }).collect())
}

/// New balances of the accounts the entry touches, if it is legal after entry `last`.
fn validate(
    entry: &Entry,
    last: u64,
    balance: impl Fn(&AccountKey) -> Amount,
) -> Result<Vec<(AccountKey, Amount)>, LedgerError> {
    if entry.id != last + 1 {
        return Err(LedgerError::OutOfOrder { given: entry.id, last });
    }
    let sum: i128 = entry.legs.iter().map(|l| i128::from(l.amount.0)).sum();
    if sum != 0 || entry.legs.len() < 2 || entry.legs.iter().any(|l| l.amount.0 == 0) {
        return Err(LedgerError::Unbalanced(i64::try_from(sum).unwrap_or(i64::MAX)));
    }
    let mut after: BTreeMap<AccountKey, Amount> = BTreeMap::new();
    for leg in &entry.legs {
        let before = after.get(&leg.account).copied().unwrap_or_else(|| balance(&leg.account));
        after.insert(leg.account, before.add(leg.amount)?);
    }
    for (account, amount) in &after {
        if amount.0 < 0 && !account.may_be_negative() {
            let holds = balance(account);
            return Err(LedgerError::TooLittle { account: *account, holds, needs: holds.sub(*amount)? });
        }
    }
    Ok(after.into_iter().collect())
}

/// Entries drafted on top of the books and not applied yet: one event may need several that build on each other.
#[derive(Debug)]
pub struct Overlay<'a> {
    books: &'a Books,
    after: BTreeMap<AccountKey, Amount>,
    last: u64,
}

impl<'a> Overlay<'a> {
    /// Nothing drafted yet.
    pub fn new(books: &'a Books) -> Self {
        Self { books, after: BTreeMap::new(), last: books.last }
    }

    /// The balance with everything drafted so far.
    pub fn balance(&self, account: &AccountKey) -> Amount {
        self.after.get(account).copied().unwrap_or_else(|| self.books.balance(account))
    }

    /// Drafts the entry that moves `moves` (from, to, amount), merged to one leg an account, numbered next.
    /// Moves of zero are left out; `None` if nothing is left. Fails where an account would fall below zero.
    pub fn draft(
        &mut self,
        at: Millis,
        kind: EntryKind,
        moves: &[(AccountKey, AccountKey, Amount)],
    ) -> Result<Option<Entry>, LedgerError> {
        let legs = legs(moves)?;
        if legs.is_empty() {
            return Ok(None);
        }
        let entry = Entry { id: self.last + 1, at, kind, legs };
        let after = validate(&entry, self.last, |account| self.balance(account))?;
        self.after.extend(after);
        self.last = entry.id;
        Ok(Some(entry))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tatau_model::Address;

    fn owner(n: u8) -> AccountKey {
        AccountKey::available(Address([n; 20]))
    }
    fn credit() -> EntryKind {
        EntryKind::Float
    }

    #[test]
    fn money_moves_whole_or_not_at_all() {
        let mut books = Books::default();
        let moves = [(AccountKey::Outside, owner(1), Amount(10))];
        let entry = Overlay::new(&books).draft(Millis(1), credit(), &moves).unwrap().unwrap();
        books.apply(&entry).unwrap();
        assert!(matches!(books.apply(&entry), Err(LedgerError::OutOfOrder { .. })), "twice");
        let too_much = Overlay::new(&books).draft(Millis(2), credit(), &[(owner(1), owner(2), Amount(11))]);
        assert!(matches!(too_much, Err(LedgerError::TooLittle { .. })));
        assert_eq!(books.balance(&owner(1)), Amount(10));
        books.check().unwrap();
    }

    #[test]
    fn an_unbalanced_or_forged_entry_is_refused() {
        let mut books = Books::default();
        let leg = |n, a| Leg { account: owner(n), amount: Amount(a) };
        for legs in [vec![leg(1, 5)], vec![leg(1, 5), leg(2, -4)], vec![leg(1, 0), leg(2, 0)]] {
            assert!(books.apply(&Entry { id: 1, at: Millis(0), kind: credit(), legs }).is_err());
        }
        assert!(Books::load([(owner(1), Amount(5))], 3).is_err(), "money from nowhere");
    }

    #[test]
    fn nothing_to_move_is_no_entry() {
        let books = Books::default();
        let drafted = Overlay::new(&books).draft(Millis(0), credit(), &[(owner(1), owner(2), Amount::ZERO)]);
        assert_eq!(drafted.unwrap(), None);
    }
}
