//! The secret that seals snapshots, from a file or from the environment.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use anyhow::Context as _;
use zeroize::Zeroizing;

use super::super::context::Context;
use crate::cli::SecretSource;
use crate::seal::SharedSecret;

/// No secret is as long as this.
const LONGEST: u64 = 64 << 10;

/// The secret; `None` if none was asked for. One that was asked for and is not there is an error: what
/// was to be sealed must not leave unsealed.
pub(super) fn find(
    source: &SecretSource,
    context: &Context<'_>,
) -> anyhow::Result<Option<SharedSecret>> {
    let (bytes, place) = match (&source.secret_file, &source.secret_env) {
        (Some(path), _) => (read(path)?, path.display().to_string()),
        (None, Some(name)) => {
            let value = context.environment().os(name).with_context(|| {
                format!("the variable {name} is not set, and --secret-env names it")
            })?;
            (
                Zeroizing::new(value.as_encoded_bytes().to_vec()),
                format!("${name}"),
            )
        }
        (None, None) => return Ok(None),
    };
    let secret = SharedSecret::new(&bytes);
    Ok(Some(
        secret.with_context(|| format!("the secret in {place}"))?,
    ))
}

fn read(path: &Path) -> anyhow::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(4096));
    File::open(path)
        .and_then(|file| file.take(LONGEST).read_to_end(&mut bytes))
        .with_context(|| format!("cannot read the secret in {}", path.display()))?;
    Ok(bytes)
}
