-- Secrets, sealed with a key that is not in here. Which one it is, is sealed with it: the name is the associated data.
CREATE TABLE secrets (
    name       TEXT PRIMARY KEY,
    nonce      BLOB NOT NULL,
    ciphertext BLOB NOT NULL,
    set_at     INTEGER NOT NULL
);
