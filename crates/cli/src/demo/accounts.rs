//! Statements of account: what every party got and gave, added up to the last unit.

use anyhow::{Context, bail};
use serde::Serialize;
use std::{collections::BTreeMap, fmt::Write as _};
use tatau_api::{Books, StatementLine};
use tatau_model::{AccountKey, Address, Amount};

/// Everything about money at the end.
#[derive(Debug, Serialize)]
pub struct Accounts {
    pub parties: Vec<PartyAccount>,
    pub platform: Vec<PlatformAccount>,
    /// All of it; zero.
    pub sum: Amount,
    /// Journal entries that were recomputed.
    pub entries: u64,
}

/// One party.
#[derive(Debug, Serialize)]
pub struct PartyAccount {
    pub name: String,
    pub owner: Address,
    pub lines: Vec<Line>,
    pub balances: BTreeMap<String, Amount>,
    pub total: Amount,
}

/// Movements of one sort, added up over the party's accounts.
#[derive(Debug, Serialize)]
pub struct Line {
    pub why: String,
    pub times: u64,
    pub amount: Amount,
}

/// One account of the platform.
#[derive(Debug, Serialize)]
pub struct PlatformAccount {
    pub account: String,
    pub amount: Amount,
}

/// Puts the parties' own statements beside the recomputed books; refuses where one unit is missing.
pub fn add_up(statements: Vec<(String, Vec<StatementLine>)>, books: &Books) -> anyhow::Result<Accounts> {
    if !books.balanced {
        bail!("the books do not balance: {}", books.problems.join("; "));
    }
    let mut parties = Vec::new();
    for (name, lines) in statements {
        parties.push(party(name, &lines)?);
    }
    let mut platform = Vec::new();
    let mut sum = Amount::ZERO;
    let mut left: BTreeMap<Address, Amount> = parties.iter().map(|p| (p.owner, p.total)).collect();
    for line in &books.accounts {
        let key: AccountKey = line.account.parse()?;
        sum = sum.add(line.amount)?;
        match key.owner() {
            Some(owner) => {
                let rest = left
                    .get_mut(&owner)
                    .with_context(|| format!("{} belongs to nobody here", line.account))?;
                *rest = rest.sub(line.amount)?;
            }
            None => platform.push(PlatformAccount { account: line.account.clone(), amount: line.amount }),
        }
    }
    if let Some((owner, rest)) = left.iter().find(|(_, rest)| **rest != Amount::ZERO) {
        bail!("the statement of {owner} and the books differ by {rest} TATAU");
    }
    if sum != Amount::ZERO {
        bail!("all accounts sum to {sum} TATAU instead of zero");
    }
    Ok(Accounts { parties, platform, sum, entries: books.entries })
}

fn party(name: String, lines: &[StatementLine]) -> anyhow::Result<PartyAccount> {
    let first = lines.first().with_context(|| format!("the statement of {name} is empty"))?;
    let owner =
        first.account.parse::<AccountKey>()?.owner().context("a statement of an account without owner")?;
    let mut sorts: Vec<Line> = Vec::new();
    let mut balances: BTreeMap<String, Amount> = BTreeMap::new();
    let mut total = Amount::ZERO;
    let mut entry = 0;
    for line in lines {
        let kind = line.account.split_once('/').map_or(&line.account[..], |(_, kind)| kind);
        balances.insert(kind.to_owned(), line.balance);
        total = total.add(line.amount)?;
        let place = sorts.iter().position(|s| s.why == line.why).unwrap_or_else(|| {
            sorts.push(Line { why: line.why.clone(), times: 0, amount: Amount::ZERO });
            sorts.len() - 1
        });
        sorts[place].times += u64::from(entry != line.entry);
        sorts[place].amount = sorts[place].amount.add(line.amount)?;
        entry = line.entry;
    }
    balances.retain(|_, amount| *amount != Amount::ZERO);
    let kept = balances.values().try_fold(Amount::ZERO, |sum, amount| sum.add(*amount))?;
    if kept != total {
        bail!("the movements of {name} sum to {total} TATAU, its balances to {kept}");
    }
    Ok(PartyAccount { name, owner, lines: sorts, balances, total })
}

impl Accounts {
    /// Movements of one sort of a party: how many, and their sum.
    pub fn of(&self, name: &str, why: &str) -> (u64, Amount) {
        let party = self.parties.iter().find(|p| p.name == name);
        let line = party.and_then(|p| p.lines.iter().find(|l| l.why == why));
        line.map_or((0, Amount::ZERO), |line| (line.times, line.amount))
    }

    /// For people.
    pub fn text(&self) -> String {
        let mut out = String::new();
        for party in &self.parties {
            let _ = writeln!(out, "{} ({})", party.name, party.owner);
            for line in party.lines.iter().filter(|l| l.amount != Amount::ZERO) {
                let _ = writeln!(out, "  {:<44}{:>20}", words(line), signed(line.amount));
            }
            let _ = writeln!(out, "  {:<44}{:>20}", "has", party.total.to_string());
            for (account, amount) in &party.balances {
                let _ = writeln!(out, "    {:<42}{:>20}", account.replace('-', " "), amount.to_string());
            }
            out.push('\n');
        }
        out.push_str("All accounts\n");
        for party in &self.parties {
            let _ = writeln!(out, "  {:<44}{:>20}", party.name, party.total.to_string());
        }
        for account in &self.platform {
            let _ = writeln!(out, "  {:<44}{:>20}", account.account, account.amount.to_string());
        }
        let _ = writeln!(out, "  {:<44}{:>20}", "sum, to the last unit", self.sum.to_string());
        let _ = writeln!(out, "\nRecomputed from {} journal entries; amounts in TATAU.", self.entries);
        out
    }
}

fn signed(amount: Amount) -> String {
    if amount.is_positive() { format!("+{amount}") } else { amount.to_string() }
}

fn words(line: &Line) -> String {
    match &line.why[..] {
        "credit" => "starter credit of a local server".into(),
        "post" if line.amount.is_positive() => count(line.times, "accepted task"),
        "post" => format!("paid for {}", count(line.times, "accepted task")),
        "audit_fee" => count(line.times, "audit"),
        "slash" if line.amount.is_positive() => {
            format!("share for proving {}", count(line.times, "wrong result"))
        }
        "slash" => format!("stake and unsettled pay taken, {}", count(line.times, "time")),
        other => format!("{other} ({}×)", line.times),
    }
}

/// `1 frame`, `3 frames`.
pub fn count(n: u64, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tatau_api::BalanceLine;
    use tatau_model::Millis;

    fn line(entry: u64, why: &str, account: &str, amount: i64, balance: i64) -> StatementLine {
        let (why, account) = (why.to_owned(), account.to_owned());
        StatementLine {
            entry,
            at: Millis(0),
            why,
            text: String::new(),
            account,
            amount: Amount(amount),
            balance: Amount(balance),
        }
    }

    fn books(accounts: &[(&str, i64)]) -> Books {
        let accounts = accounts
            .iter()
            .map(|(account, amount)| BalanceLine { account: (*account).into(), amount: Amount(*amount) })
            .collect();
        Books { balanced: true, sum: Amount::ZERO, entries: 2, accounts, problems: vec![] }
    }

    #[test]
    fn one_missing_unit_is_found() {
        let purse = format!("{}/available", Address([1; 20]));
        let stake = format!("{}/stake-free", Address([1; 20]));
        let lines = vec![
            line(1, "credit", &purse, 100, 100),
            line(2, "stake", &purse, -30, 70),
            line(2, "stake", &stake, 30, 30),
        ];
        let statements = || vec![("buyer".to_owned(), lines.clone())];
        let sound = add_up(statements(), &books(&[(&purse, 70), (&stake, 30), ("outside", -100)])).unwrap();
        assert_eq!((sound.sum, sound.parties[0].total), (Amount::ZERO, Amount(100)));
        assert_eq!(sound.of("buyer", "stake"), (1, Amount::ZERO));
        assert!(sound.text().contains("sum, to the last unit"));
        assert!(add_up(statements(), &books(&[(&purse, 70), (&stake, 30), ("outside", -99)])).is_err());
        assert!(add_up(statements(), &books(&[(&purse, 69), (&stake, 30), ("outside", -99)])).is_err());
    }
}
