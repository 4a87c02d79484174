//! Unpacks the database that new installations begin with: a packed one would be small in the program, and slow to write.

use flate2::read::GzDecoder;
use std::fs::File;
use std::path::Path;

const PACKED: &str = "migrations/new.db.gz";

fn main() -> std::io::Result<()> {
    println!("cargo::rerun-if-changed={PACKED}");
    let place = std::env::var_os("OUT_DIR").expect("cargo gives one");
    let mut new = File::create(Path::new(&place).join("new.db"))?;
    std::io::copy(&mut GzDecoder::new(File::open(PACKED)?), &mut new)?;
    Ok(())
}
