-- Sign-in by name and password, machines that join by a pasted line, the market as it was minute by minute.

-- hash: PHC string of Argon2id. A name is how its owner signs in; it is shown to nobody else.
CREATE TABLE passwords (
    owner   BLOB PRIMARY KEY REFERENCES accounts,
    name    TEXT NOT NULL UNIQUE,
    hash    TEXT NOT NULL,
    changed INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- limited: a token let this browser in, so it may do what the token may.
ALTER TABLE sessions ADD COLUMN limited INTEGER NOT NULL DEFAULT 0 CHECK (limited IN (0, 1));

-- Only the digest of a code is kept.
CREATE TABLE join_codes (
    hash    BLOB PRIMARY KEY CHECK (length(hash) = 32),
    owner   BLOB NOT NULL REFERENCES accounts,
    created INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    uses    INTEGER NOT NULL CHECK (uses > 0)
) STRICT, WITHOUT ROWID;
CREATE INDEX join_codes_owner ON join_codes (owner);

-- Who joined by which code. A machine that asks again uses nothing up.
CREATE TABLE joins (
    code BLOB NOT NULL REFERENCES join_codes ON DELETE CASCADE,
    node BLOB NOT NULL CHECK (length(node) = 20),
    at   INTEGER NOT NULL,
    PRIMARY KEY (code, node)
) STRICT, WITHOUT ROWID;

-- entry: last journal entry whose work is in the sample's totals.
CREATE TABLE samples (
    at    INTEGER PRIMARY KEY,
    entry INTEGER NOT NULL,
    body  TEXT NOT NULL
) STRICT;
