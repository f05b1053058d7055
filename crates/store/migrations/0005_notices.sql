-- Where an account wants to be told, and what is still to be told.

CREATE TABLE notify (
    owner BLOB PRIMARY KEY REFERENCES accounts,
    body  TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Written with the change that it tells of; removed once somebody was told, or nobody could be for days.
CREATE TABLE notices (
    id      INTEGER PRIMARY KEY,
    owner   BLOB NOT NULL REFERENCES accounts,
    channel TEXT NOT NULL,
    tries   INTEGER NOT NULL,
    next_at INTEGER NOT NULL,
    body    TEXT NOT NULL
) STRICT;
CREATE INDEX notices_due ON notices (next_at);
