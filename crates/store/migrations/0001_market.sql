-- The market. Records keep their whole body as JSON; columns repeat only what is searched.
-- Money lives in journal, legs and balances; everything else about it is derived.

-- One row: who may write (fence), and how many batches were committed.
CREATE TABLE writer (
    one   INTEGER PRIMARY KEY CHECK (one = 1),
    fence INTEGER NOT NULL,
    batch INTEGER NOT NULL
) STRICT;
INSERT INTO writer VALUES (1, 0, 0);

CREATE TABLE accounts (
    owner BLOB PRIMARY KEY CHECK (length(owner) = 20),
    body  TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE nodes (
    id    BLOB PRIMARY KEY CHECK (length(id) = 20),
    owner BLOB NOT NULL REFERENCES accounts,
    body  TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX nodes_owner ON nodes (owner);

-- spent and reference_ms change with every accepted task: here they are true, not in the body.
CREATE TABLE jobs (
    id           INTEGER PRIMARY KEY,
    owner        BLOB NOT NULL REFERENCES accounts,
    state        TEXT NOT NULL,
    open         INTEGER NOT NULL CHECK (open IN (0, 1)),
    created      INTEGER NOT NULL,
    ended        INTEGER,
    spent        INTEGER NOT NULL,
    reference_ms INTEGER NOT NULL,
    request_key  TEXT NOT NULL,
    body         TEXT NOT NULL
) STRICT;
CREATE INDEX jobs_owner ON jobs (owner);
CREATE INDEX jobs_request ON jobs (owner, request_key) WHERE request_key <> '';
CREATE INDEX jobs_open ON jobs (id) WHERE open = 1;

-- A task is open while its job is. changed: the batch that last wrote it.
CREATE TABLE tasks (
    id      INTEGER PRIMARY KEY,
    job     INTEGER NOT NULL REFERENCES jobs,
    state   TEXT NOT NULL,
    changed INTEGER NOT NULL,
    body    TEXT NOT NULL
) STRICT;
CREATE INDEX tasks_job ON tasks (job, changed);

CREATE TABLE epochs (
    id   INTEGER PRIMARY KEY,
    body TEXT NOT NULL
) STRICT;

CREATE TABLE attempts (
    id       INTEGER PRIMARY KEY,
    job      INTEGER NOT NULL REFERENCES jobs,
    task     INTEGER NOT NULL REFERENCES tasks,
    node     BLOB NOT NULL REFERENCES nodes,
    provider BLOB NOT NULL REFERENCES accounts,
    state    TEXT NOT NULL,
    open     INTEGER NOT NULL CHECK (open IN (0, 1)),
    epoch    INTEGER REFERENCES epochs,
    body     TEXT NOT NULL
) STRICT;
CREATE INDEX attempts_job ON attempts (job, task);
CREATE INDEX attempts_open ON attempts (id) WHERE open = 1;
CREATE INDEX attempts_epoch ON attempts (epoch) WHERE epoch IS NOT NULL;

-- An audit is open while its attempt is.
CREATE TABLE audits (
    id        INTEGER PRIMARY KEY,
    attempt   INTEGER NOT NULL REFERENCES attempts,
    job       INTEGER NOT NULL REFERENCES jobs,
    validator BLOB REFERENCES accounts,
    state     TEXT NOT NULL,
    body      TEXT NOT NULL
) STRICT;
CREATE INDEX audits_attempt ON audits (attempt);

CREATE TABLE unbonding (
    owner  BLOB NOT NULL REFERENCES accounts,
    at     INTEGER NOT NULL,
    amount INTEGER NOT NULL CHECK (amount > 0),
    PRIMARY KEY (owner, at)
) STRICT, WITHOUT ROWID;

-- Whoever holds ledger accounts: an owner's address, or the account's own name for the platform's accounts.
CREATE TABLE holders (
    id   INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE balances (
    id      INTEGER PRIMARY KEY,
    account TEXT NOT NULL UNIQUE,
    holder  INTEGER NOT NULL REFERENCES holders,
    amount  INTEGER NOT NULL CHECK (amount >= 0 OR account = 'outside')
) STRICT;
CREATE INDEX balances_holder ON balances (holder);

CREATE TABLE journal (
    id  INTEGER PRIMARY KEY,
    at  INTEGER NOT NULL,
    why TEXT NOT NULL
) STRICT;

-- Clustered by holder: a statement of account is one range.
CREATE TABLE legs (
    holder  INTEGER NOT NULL,
    entry   INTEGER NOT NULL REFERENCES journal,
    account INTEGER NOT NULL REFERENCES balances,
    amount  INTEGER NOT NULL CHECK (amount <> 0),
    balance INTEGER NOT NULL,
    PRIMARY KEY (holder, entry, account)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER journal_is_kept BEFORE UPDATE ON journal BEGIN SELECT RAISE(ABORT, 'journal entries are final'); END;
CREATE TRIGGER journal_is_whole BEFORE DELETE ON journal BEGIN SELECT RAISE(ABORT, 'journal entries are final'); END;
CREATE TRIGGER legs_are_kept BEFORE UPDATE ON legs BEGIN SELECT RAISE(ABORT, 'journal entries are final'); END;
CREATE TRIGGER legs_are_whole BEFORE DELETE ON legs BEGIN SELECT RAISE(ABORT, 'journal entries are final'); END;

-- Beside the market: what the server keeps for itself.
CREATE TABLE settings (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE tokens (
    hash    BLOB PRIMARY KEY CHECK (length(hash) = 32),
    owner   BLOB NOT NULL REFERENCES accounts,
    name    TEXT NOT NULL,
    created INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX tokens_owner ON tokens (owner);

CREATE TABLE logs (
    attempt INTEGER PRIMARY KEY REFERENCES attempts,
    text    TEXT NOT NULL
) STRICT;
