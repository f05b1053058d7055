//! Account keys: whose money, and for what.

use crate::{Address, JobId};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::{fmt, str::FromStr};

/// What the money in an account is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Purpose {
    /// Free to spend, stake or withdraw.
    Available,
    /// A job's cap, less what is held by leases and what was posted.
    Escrow(JobId),
    /// Inside a job's escrow: held by its running and unjudged attempts.
    Held(JobId),
    /// Stake that covers new leases.
    StakeFree,
    /// Stake set aside for open attempts until their dispute windows close.
    StakeReserved,
    /// Stake on its way out.
    StakeUnbonding,
    /// Pay for accepted work whose dispute window is open.
    Pending,
}

/// One account of the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AccountKey {
    /// Money of an owner.
    Owner(Address, Purpose),
    /// The platform's fees; audits are paid from here.
    Fees,
    /// Part of slashed stake; answers for shortfalls.
    Insurance,
    /// Part of slashed stake, gone for good.
    Burned,
    /// Mirror of the world outside: minus everything inside. The only account below zero.
    Outside,
}

impl AccountKey {
    /// The owner's free money.
    pub const fn available(owner: Address) -> Self {
        Self::Owner(owner, Purpose::Available)
    }
    /// The owner of the account, if a person owns it.
    pub const fn owner(&self) -> Option<Address> {
        match self {
            Self::Owner(owner, _) => Some(*owner),
            _ => None,
        }
    }
    /// May its balance be negative?
    pub const fn may_be_negative(&self) -> bool {
        matches!(self, Self::Outside)
    }
}

impl fmt::Display for AccountKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Owner(owner, purpose) => match purpose {
                Purpose::Available => write!(f, "{owner}/available"),
                Purpose::Escrow(job) => write!(f, "{owner}/escrow/{job}"),
                Purpose::Held(job) => write!(f, "{owner}/held/{job}"),
                Purpose::StakeFree => write!(f, "{owner}/stake-free"),
                Purpose::StakeReserved => write!(f, "{owner}/stake-reserved"),
                Purpose::StakeUnbonding => write!(f, "{owner}/stake-unbonding"),
                Purpose::Pending => write!(f, "{owner}/pending"),
            },
            Self::Fees => f.write_str("platform/fees"),
            Self::Insurance => f.write_str("platform/insurance"),
            Self::Burned => f.write_str("platform/burned"),
            Self::Outside => f.write_str("outside"),
        }
    }
}

/// Text that names no account.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' names no account")]
pub struct UnknownAccount(String);

impl FromStr for AccountKey {
    type Err = UnknownAccount;
    fn from_str(s: &str) -> Result<Self, UnknownAccount> {
        let bad = || UnknownAccount(s.chars().take(100).collect());
        match s {
            "platform/fees" => return Ok(Self::Fees),
            "platform/insurance" => return Ok(Self::Insurance),
            "platform/burned" => return Ok(Self::Burned),
            "outside" => return Ok(Self::Outside),
            _ => {}
        }
        let (owner, rest) = s.split_once('/').ok_or_else(bad)?;
        let owner: Address = owner.parse().map_err(|_| bad())?;
        let purpose = match rest.split_once('/') {
            None => match rest {
                "available" => Purpose::Available,
                "stake-free" => Purpose::StakeFree,
                "stake-reserved" => Purpose::StakeReserved,
                "stake-unbonding" => Purpose::StakeUnbonding,
                "pending" => Purpose::Pending,
                _ => return Err(bad()),
            },
            Some(("escrow", job)) => Purpose::Escrow(job.parse().map_err(|_| bad())?),
            Some(("held", job)) => Purpose::Held(job.parse().map_err(|_| bad())?),
            Some(_) => return Err(bad()),
        };
        Ok(Self::Owner(owner, purpose))
    }
}

impl Serialize for AccountKey {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for AccountKey {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(d)?;
        text.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_account_round_trips_as_text() {
        let a = Address([9; 20]);
        let purposes = [
            Purpose::Available,
            Purpose::Escrow(JobId(4)),
            Purpose::Held(JobId(4)),
            Purpose::StakeFree,
            Purpose::StakeReserved,
            Purpose::StakeUnbonding,
            Purpose::Pending,
        ];
        let mut keys = vec![AccountKey::Fees, AccountKey::Insurance, AccountKey::Burned, AccountKey::Outside];
        keys.extend(purposes.map(|p| AccountKey::Owner(a, p)));
        for key in keys {
            assert_eq!(key.to_string().parse::<AccountKey>().unwrap(), key);
        }
        assert!("0x00/available".parse::<AccountKey>().is_err());
    }
}
