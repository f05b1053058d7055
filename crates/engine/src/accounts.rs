//! Accounts and stakes.

use crate::{Draft, Refusal, Reply};
use tatau_model::{Account, AccountKey, Address, Amount, Change, EntryKind, Purpose};

/// Parts of one owner's stake that may be on their way out at once.
const MAX_UNBONDING: usize = 16;

/// Opens the account on its first signed request; a second time changes nothing.
pub(crate) fn open(draft: &mut Draft<'_>, owner: Address) -> Result<Reply, Refusal> {
    if draft.account(owner).is_ok() {
        return Ok(Reply::Done);
    }
    let config = &draft.state.config;
    let (credit, float) = (config.starter_credit, config.audit_float);
    if draft.state.books.last() == 0 && float.is_positive() {
        draft.pay(EntryKind::Float, &[(AccountKey::Outside, AccountKey::Fees, float)])?;
    }
    draft.put_account(Account::new(owner, draft.now));
    draft.pay(EntryKind::Credit { owner }, &[(AccountKey::Outside, AccountKey::available(owner), credit)])?;
    Ok(Reply::Done)
}

pub(crate) fn stake(draft: &mut Draft<'_>, owner: Address, amount: Amount) -> Result<Reply, Refusal> {
    positive(amount)?;
    draft.account(owner)?;
    let stake = AccountKey::Owner(owner, Purpose::StakeFree);
    draft.pay(EntryKind::Stake { owner }, &[(AccountKey::available(owner), stake, amount)])?;
    draft.effect(crate::Effect::WakeProviders);
    draft.effect(crate::Effect::WakeValidators);
    Ok(Reply::Done)
}

pub(crate) fn unstake(draft: &mut Draft<'_>, owner: Address, amount: Amount) -> Result<Reply, Refusal> {
    positive(amount)?;
    let from = AccountKey::Owner(owner, Purpose::StakeFree);
    let to = AccountKey::Owner(owner, Purpose::StakeUnbonding);
    draft.pay(EntryKind::Unbond { owner }, &[(from, to, amount)])?;
    if draft.state.unbonding_count.get(&owner).copied().unwrap_or(0) >= MAX_UNBONDING {
        let sentence =
            format!("{MAX_UNBONDING} parts of your stake are on their way out already; wait for the first");
        return Err(Refusal::new("conflict", sentence));
    }
    let mut at = draft.now.plus(draft.state.config.unbond_ms);
    // Two requests within one millisecond stay two entries.
    let taken = |at| {
        let range = (at, owner, Amount(i64::MIN))..=(at, owner, Amount(i64::MAX));
        draft.state.unbonding.range(range).next().is_some()
    };
    while taken(at) {
        at = at.plus(1);
    }
    draft.last(Change::Unbonding { owner, amount, at });
    Ok(Reply::Done)
}

/// The operator's word. It undoes what faults did; the next fault counts again.
pub(crate) fn bar(draft: &mut Draft<'_>, owner: Address, barred: bool) -> Result<Reply, Refusal> {
    draft.account_mut(owner)?.barred = barred;
    draft.effect(crate::Effect::WakeProviders);
    Ok(Reply::Done)
}

/// Whose machines see the scenes that are for trusted machines.
pub(crate) fn trust(
    draft: &mut Draft<'_>,
    owner: Address,
    account: Address,
    trusted: bool,
) -> Result<Reply, Refusal> {
    if account == owner {
        return Err(Refusal::new("invalid", "your own machines are always trusted with your scenes"));
    }
    if trusted && draft.account(account).is_err() {
        let sentence = format!("there is no account {account} here; check its address with whoever told you");
        return Err(Refusal::new("not_found", sentence));
    }
    let trusts = &mut draft.account_mut(owner)?.trusts;
    match (trusts.binary_search(&account), trusted) {
        (Ok(at), false) => drop(trusts.remove(at)),
        (Err(_), true) if trusts.len() >= Account::MOST_TRUSTED => {
            let sentence = format!(
                "at most {} accounts are trusted at once; take one back first",
                Account::MOST_TRUSTED
            );
            return Err(Refusal::new("too_many", sentence));
        }
        (Err(at), true) => trusts.insert(at, account),
        _ => {}
    }
    draft.effect(crate::Effect::WakeProviders);
    draft.effect(crate::Effect::WakeValidators);
    Ok(Reply::Done)
}

/// Frees stake whose time has come; at most `limit` entries at once.
pub(crate) fn release_unbonded(draft: &mut Draft<'_>, limit: usize) -> Result<(), Refusal> {
    let now = draft.now;
    let due: Vec<_> =
        draft.state.unbonding.iter().take_while(|(at, ..)| *at <= now).take(limit).copied().collect();
    for (at, owner, amount) in due {
        let from = AccountKey::Owner(owner, Purpose::StakeUnbonding);
        draft.pay(EntryKind::Unbonded { owner }, &[(from, AccountKey::available(owner), amount)])?;
        draft.last(Change::Unbonded { owner, at });
    }
    Ok(())
}

/// All stake of an owner that still answers for work.
pub(crate) fn bonded(draft: &Draft<'_>, owner: Address) -> Result<Amount, Refusal> {
    Ok(draft.balance(owner, Purpose::StakeFree).add(draft.balance(owner, Purpose::StakeReserved))?)
}

/// Past earn-in, by stake and record?
pub(crate) fn update_standing(draft: &mut Draft<'_>, owner: Address) -> Result<(), Refusal> {
    let stake = bonded(draft, owner)?;
    let config = &draft.state.config;
    let (least, count) = (config.earn_in_stake, config.earn_in_accepted);
    let account = draft.account(owner)?;
    let established = stake >= least && account.accepted >= count && account.stake_faults == 0;
    if account.established != established {
        draft.account_mut(owner)?.established = established;
    }
    Ok(())
}

fn positive(amount: Amount) -> Result<(), Refusal> {
    if amount.is_positive() {
        Ok(())
    } else {
        Err(Refusal::new("invalid", "the amount must be more than zero"))
    }
}
