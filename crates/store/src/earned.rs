//! What each card earned, kept with the journal: which legs of which entries are a provider's pay.
//!
//! Accepted work is posted to `pending` and settled later; work that its buyer cut short, or spoilt, is paid at once. A slash
//! takes all unsettled pay of an owner, whichever card made it.

use crate::{StoreError, batch::Batch, rows};
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use std::collections::{BTreeMap, BTreeSet};
use tatau_model::{AccountKey, Address, Attempt, AttemptId, AttemptState, Entry, EntryKind, Purpose};

/// Time is kept in pieces of this length: every time zone begins its day at the start of one, ms.
pub const QUARTER_MS: i64 = 15 * 60 * 1_000;
/// Ends of a lease that are not the provider's doing.
const NOBODYS: [&str; 3] = ["returned", "cancelled", "job_failed"];

/// A card of a node.
type Place = (Address, u16);

/// What one batch adds to a card's row.
#[derive(Debug)]
struct Added {
    owner: Address,
    earned: i64,
    paid: i64,
    pending: i64,
    forfeited: i64,
    slashed: i64,
    accepted: i64,
    rejected: i64,
    lost: i64,
}

#[derive(Debug, Default)]
struct Staged {
    cards: BTreeMap<Place, Added>,
    /// Earned and paid.
    quarters: BTreeMap<(Place, i64), (i64, i64)>,
    /// Owners whose pending pay was all taken: what the rows held before is forfeited.
    emptied: BTreeSet<Address>,
}

/// Whose work an attempt was.
struct Worked {
    place: Place,
    owner: Address,
    void: bool,
}

/// Adds what this batch's entries and attempts mean to the rows of their cards. The records are written already.
pub(crate) fn write(tx: &Transaction<'_>, batch: &Batch<'_>) -> Result<(), StoreError> {
    let mut staged = Staged::default();
    for entry in &batch.entries {
        let (EntryKind::Post { attempt } | EntryKind::Settle { attempt } | EntryKind::Slash { attempt }) =
            entry.kind
        else {
            continue;
        };
        let worked = worked(tx, batch, attempt)?;
        staged.add(entry, &worked);
    }
    for row in batch.attempts.values() {
        if let Some(attempt) = row.record {
            staged.count(attempt);
        }
    }
    staged.store(tx)
}

fn worked(tx: &Transaction<'_>, batch: &Batch<'_>, id: AttemptId) -> Result<Worked, StoreError> {
    let of = |a: &Attempt| Worked {
        place: (a.node, a.card),
        owner: a.provider,
        void: matches!(a.state, AttemptState::Void { .. }),
    };
    if let Some(attempt) = batch.attempts.get(&id).and_then(|row| row.record) {
        return Ok(of(attempt));
    }
    let body: Option<String> = tx
        .prepare_cached("SELECT body FROM attempts WHERE id = ?1")?
        .query_row([rows::int(id.0)?], |r| r.get(0))
        .optional()?;
    let body = body.ok_or_else(|| StoreError::Refused(format!("there is no {id} to pay for")))?;
    Ok(of(&rows::parse("an attempt", &body)?))
}

impl Staged {
    fn card(&mut self, place: Place, owner: Address) -> &mut Added {
        self.cards.entry(place).or_insert(Added {
            owner,
            earned: 0,
            paid: 0,
            pending: 0,
            forfeited: 0,
            slashed: 0,
            accepted: 0,
            rejected: 0,
            lost: 0,
        })
    }

    fn add(&mut self, entry: &Entry, worked: &Worked) {
        let Worked { place, owner, void } = *worked;
        let leg = |purpose| {
            let key = AccountKey::Owner(owner, purpose);
            entry.legs.iter().find(|leg| leg.account == key).map_or(0, |leg| leg.amount.0)
        };
        let pending = leg(Purpose::Pending);
        let (earned, paid) = match entry.kind {
            // Of accepted work the available leg is the buyer's change, also where buyer and provider are one.
            EntryKind::Post { .. } if void => (leg(Purpose::Available), leg(Purpose::Available)),
            EntryKind::Post { .. } => (pending, 0),
            EntryKind::Settle { .. } => (0, -pending),
            _ => (0, 0),
        };
        let slash = matches!(entry.kind, EntryKind::Slash { .. });
        if slash && pending < 0 {
            self.emptied.insert(owner);
            for card in self.cards.values_mut().filter(|card| card.owner == owner) {
                card.forfeited += std::mem::take(&mut card.pending);
            }
        }
        let card = self.card(place, owner);
        card.earned += earned;
        card.paid += paid;
        if slash {
            card.slashed -= pending.min(0) + leg(Purpose::StakeReserved).min(0);
        } else {
            card.pending += pending;
        }
        card.accepted += i64::from(!slash && pending > 0);
        if (earned, paid) != (0, 0) {
            let quarter = entry.at.0.div_euclid(QUARTER_MS);
            let sums = self.quarters.entry((place, quarter)).or_default();
            sums.0 += earned;
            sums.1 += paid;
        }
    }

    /// An attempt is written once after its end.
    fn count(&mut self, attempt: &Attempt) {
        let (rejected, lost) = match &attempt.state {
            AttemptState::Rejected { .. } => (1, 0),
            AttemptState::Void { code, .. } if !NOBODYS.contains(&code.as_str()) => (0, 1),
            _ => return,
        };
        let card = self.card((attempt.node, attempt.card), attempt.provider);
        card.rejected += rejected;
        card.lost += lost;
    }

    fn store(self, tx: &Transaction<'_>) -> Result<(), StoreError> {
        for owner in &self.emptied {
            tx.prepare_cached(
                "UPDATE earned SET forfeited = forfeited + pending, pending = 0 WHERE owner = ?1 AND pending <> 0",
            )?
            .execute([&owner.0[..]])?;
        }
        // Two statements: a row's check would look at what an upsert tries to insert, which may take away.
        let mut change = tx.prepare_cached(
            "UPDATE earned SET earned = earned + ?3, paid = paid + ?4, pending = pending + ?5,
                 forfeited = forfeited + ?6, slashed = slashed + ?7, accepted = accepted + ?8,
                 rejected = rejected + ?9, lost = lost + ?10
             WHERE node = ?1 AND card = ?2",
        )?;
        let mut put = tx.prepare_cached(
            "INSERT INTO earned (node, card, earned, paid, pending, forfeited, slashed, accepted, rejected, lost, owner)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        )?;
        for ((node, card), a) in &self.cards {
            let (node, owner) = (&node.0[..], &a.owner.0[..]);
            let known = change.execute(params![
                node,
                card,
                a.earned,
                a.paid,
                a.pending,
                a.forfeited,
                a.slashed,
                a.accepted,
                a.rejected,
                a.lost
            ])?;
            if known == 0 {
                put.execute(params![
                    node,
                    card,
                    a.earned,
                    a.paid,
                    a.pending,
                    a.forfeited,
                    a.slashed,
                    a.accepted,
                    a.rejected,
                    a.lost,
                    owner
                ])?;
            }
        }
        let mut put = tx.prepare_cached(
            "INSERT INTO earned_quarters (node, card, quarter, earned, paid) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (node, card, quarter) DO UPDATE SET earned = earned + excluded.earned, paid = paid + excluded.paid",
        )?;
        for (((node, card), quarter), (earned, paid)) in &self.quarters {
            put.execute(params![&node.0[..], card, quarter, earned, paid])?;
        }
        Ok(())
    }
}

/// Cards whose rows do not follow from the journal, or from each other; one sentence each. Reads the whole journal.
pub(crate) fn check(conn: &Connection) -> Result<Vec<String>, StoreError> {
    let mut problems = Vec::new();
    let mut statement = conn.prepare(CARDS_THAT_DIFFER)?;
    let mut found = statement.query([])?;
    while let Some(row) = found.next()? {
        let node = rows::address("a card's node", row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?)?;
        let (card, kept, summed): (u16, String, String) = (row.get(1)?, row.get(2)?, row.get(3)?);
        problems.push(format!(
            "card {card} of {node} is kept as having earned {kept}, the journal says {summed}"
        ));
    }
    let mut statement = conn.prepare(
        "SELECT b.account, b.amount, coalesce(p.pending, 0) FROM balances b
         LEFT JOIN (SELECT '0x' || lower(hex(owner)) || '/pending' AS account, sum(pending) AS pending
                    FROM earned GROUP BY owner) p ON p.account = b.account
         WHERE b.account LIKE '%/pending' AND b.amount <> coalesce(p.pending, 0)",
    )?;
    let mut found = statement.query([])?;
    while let Some(row) = found.next()? {
        let (account, balance, cards): (String, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        problems.push(format!("{account} holds {balance} nano-TATAU, its cards account for {cards}"));
    }
    Ok(problems)
}

/// Earned and paid, from the journal's legs as migration 0004 reads them; beside them what the rows say.
const CARDS_THAT_DIFFER: &str = "
    WITH moved AS (
        SELECT a.node, json_extract(a.body, '$.card') AS card,
            json_extract(j.why, '$.why') = 'settle' AS settled, substr(b.account, 44) = 'pending' AS pending,
            a.state = 'void' AS void, l.amount
        FROM journal j
        JOIN attempts a ON a.id = json_extract(j.why, '$.attempt')
        JOIN legs l ON l.entry = j.id
        JOIN balances b ON b.id = l.account
            AND b.account IN ('0x' || lower(hex(a.provider)) || '/pending', '0x' || lower(hex(a.provider)) || '/available')
        WHERE json_extract(j.why, '$.why') IN ('post', 'settle')
    ), summed AS (
        SELECT node, card,
            sum(iif(settled, 0, iif(pending, amount, iif(void, amount, 0)))) AS earned,
            sum(iif(settled, iif(pending, -amount, 0), iif(pending, 0, iif(void, amount, 0)))) AS paid
        FROM moved GROUP BY node, card
    ), timed AS (
        SELECT node, card, sum(earned) AS earned, sum(paid) AS paid FROM earned_quarters GROUP BY node, card
    )
    SELECT e.node, e.card,
        e.earned || ' (' || coalesce(t.earned, 0) || ' by time), paid ' || e.paid || ' (' || coalesce(t.paid, 0) || ')',
        coalesce(s.earned, 0) || ', paid ' || coalesce(s.paid, 0)
    FROM earned e
    LEFT JOIN summed s ON s.node = e.node AND s.card = e.card
    LEFT JOIN timed t ON t.node = e.node AND t.card = e.card
    WHERE e.earned <> coalesce(s.earned, 0) OR e.paid <> coalesce(s.paid, 0)
        OR e.earned <> coalesce(t.earned, 0) OR e.paid <> coalesce(t.paid, 0)
        OR e.earned <> e.paid + e.pending + e.forfeited";
