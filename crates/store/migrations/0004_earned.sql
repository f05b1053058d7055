-- What each card earned. The journal says it too, but only to who reads all of it; these rows are written in the
-- transaction of the entries that they follow from, and the audit of the books compares them.

-- earned = paid + pending + forfeited. slashed: stake and forfeited pay taken for work of this card.
CREATE TABLE earned (
    node      BLOB NOT NULL REFERENCES nodes,
    card      INTEGER NOT NULL,
    owner     BLOB NOT NULL REFERENCES accounts,
    earned    INTEGER NOT NULL,
    paid      INTEGER NOT NULL,
    pending   INTEGER NOT NULL CHECK (pending >= 0),
    forfeited INTEGER NOT NULL,
    slashed   INTEGER NOT NULL,
    accepted  INTEGER NOT NULL,
    rejected  INTEGER NOT NULL,
    lost      INTEGER NOT NULL,
    PRIMARY KEY (node, card)
) STRICT, WITHOUT ROWID;
CREATE INDEX earned_owner ON earned (owner);

-- The same by time. quarter: hours/4 since 1970 UTC, because every time zone begins its day at one of them.
CREATE TABLE earned_quarters (
    node    BLOB NOT NULL,
    card    INTEGER NOT NULL,
    quarter INTEGER NOT NULL,
    earned  INTEGER NOT NULL,
    paid    INTEGER NOT NULL,
    PRIMARY KEY (node, card, quarter)
) STRICT, WITHOUT ROWID;

-- What an older journal already holds. Forfeits are told by what accepted attempts lost: posted, neither settled nor pending.
CREATE TEMP TABLE moved AS
    SELECT a.node AS node, json_extract(a.body, '$.card') AS card, a.provider AS owner, a.state AS state, a.id AS attempt,
           json_extract(j.why, '$.why') AS why, j.at / 900000 AS quarter, l.amount AS amount,
           substr(b.account, 44) AS purpose
    FROM journal j
    JOIN attempts a ON a.id = json_extract(j.why, '$.attempt')
    JOIN legs l ON l.entry = j.id
    JOIN balances b ON b.id = l.account AND substr(b.account, 1, 42) = '0x' || lower(hex(a.provider))
    WHERE json_extract(j.why, '$.why') IN ('post', 'settle', 'slash');

INSERT INTO earned (node, card, owner, earned, paid, pending, forfeited, slashed, accepted, rejected, lost)
    SELECT node, json_extract(body, '$.card'), provider, 0, 0,
           coalesce(sum(json_extract(body, '$.pay')) FILTER (WHERE json_extract(body, '$.dispute_until') IS NOT NULL), 0),
           0, 0, 0, count(*) FILTER (WHERE state = 'rejected'),
           count(*) FILTER (WHERE state = 'void' AND json_extract(body, '$.code') NOT IN ('returned', 'cancelled', 'job_failed'))
    FROM attempts WHERE state IN ('accepted', 'rejected', 'void') GROUP BY node, json_extract(body, '$.card');

INSERT INTO earned_quarters (node, card, quarter, earned, paid)
    SELECT node, card, quarter,
           sum(iif(why = 'post' AND (purpose = 'pending' OR (purpose = 'available' AND state = 'void')), amount, 0)),
           sum(iif(why = 'settle' AND purpose = 'pending', -amount, iif(why = 'post' AND purpose = 'available' AND state = 'void', amount, 0)))
    FROM moved GROUP BY node, card, quarter
    HAVING sum(why <> 'slash') > 0;
DELETE FROM earned_quarters WHERE earned = 0 AND paid = 0;

UPDATE earned SET
    earned = coalesce((SELECT sum(q.earned) FROM earned_quarters q WHERE q.node = earned.node AND q.card = earned.card), 0),
    paid = coalesce((SELECT sum(q.paid) FROM earned_quarters q WHERE q.node = earned.node AND q.card = earned.card), 0),
    slashed = coalesce((SELECT -sum(m.amount) FROM moved m WHERE m.node = earned.node AND m.card = earned.card
                        AND m.why = 'slash' AND m.purpose IN ('pending', 'stake-reserved') AND m.amount < 0), 0),
    accepted = (SELECT count(*) FROM moved m WHERE m.node = earned.node AND m.card = earned.card
                AND m.why = 'post' AND m.purpose = 'pending');
UPDATE earned SET forfeited = earned - paid - pending;
DROP TABLE moved;
