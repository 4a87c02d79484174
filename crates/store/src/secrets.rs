//! Secrets as they are kept: sealed by somebody else, whose key is never here.

use crate::sql::{Connection, Result, Row, params};
use lamplight_domain::Timestamp;

/// One secret that nobody can read without the key that it is sealed with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedSecret {
    /// What it is for; in the open.
    pub name: String,
    /// Used once.
    pub nonce: Vec<u8>,
    pub ciphertext: Vec<u8>,
    pub set_at: Timestamp,
}

pub(crate) fn set(connection: &Connection, secret: &SealedSecret) -> Result<()> {
    connection.execute(
        "INSERT INTO secrets (name, nonce, ciphertext, set_at) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (name) DO UPDATE SET
         nonce = excluded.nonce, ciphertext = excluded.ciphertext, set_at = excluded.set_at",
        params![secret.name, secret.nonce, secret.ciphertext, secret.set_at.0],
    )?;
    Ok(())
}

pub(crate) fn remove(connection: &Connection, name: &str) -> Result<bool> {
    Ok(connection.execute("DELETE FROM secrets WHERE name = ?1", params![name])? > 0)
}

/// Another in its place, if it still is the one with this nonce.
pub(crate) fn replace(connection: &Connection, former: &[u8], secret: &SealedSecret) -> Result<bool> {
    let text = "UPDATE secrets SET nonce = ?3, ciphertext = ?4, set_at = ?5 WHERE name = ?1 AND nonce = ?2";
    let former = former.to_vec();
    let values = params![secret.name, former, secret.nonce, secret.ciphertext, secret.set_at.0];
    Ok(connection.execute(text, values)? > 0)
}

/// Removes the one with this nonce.
pub(crate) fn drop_one(connection: &Connection, name: &str, nonce: &[u8]) -> Result<bool> {
    let text = "DELETE FROM secrets WHERE name = ?1 AND nonce = ?2";
    Ok(connection.execute(text, params![name, nonce.to_vec()])? > 0)
}

pub(crate) fn all(connection: &Connection) -> Result<Vec<SealedSecret>> {
    connection.rows("SELECT name, nonce, ciphertext, set_at FROM secrets ORDER BY name", &[], read)
}

pub(crate) fn one(connection: &Connection, name: &str) -> Result<Option<SealedSecret>> {
    let text = "SELECT name, nonce, ciphertext, set_at FROM secrets WHERE name = ?1";
    connection.row(text, params![name], read)
}

fn read(row: &Row<'_>) -> Result<SealedSecret> {
    Ok(SealedSecret {
        name: row.get(0)?,
        nonce: row.get(1)?,
        ciphertext: row.get(2)?,
        set_at: Timestamp(row.get(3)?),
    })
}
