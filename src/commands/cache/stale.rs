//! `ghswarm cache stale`.

use std::process::ExitCode;

use bytes::Bytes;
use http::Method;

use super::super::context::Context;
use super::{hook, told};
use crate::cli::Stale;

pub(super) async fn run(stale: &Stale, context: &Context<'_>) -> anyhow::Result<ExitCode> {
    if !stale.from_git_hook.is_empty() {
        hook::called(&stale.from_git_hook, &stale.target, context).await;
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(directory) = &stale.install_hook {
        hook::install(&context.working_dir().join(directory)).await?;
        return Ok(ExitCode::SUCCESS);
    }
    // The parser holds the line to one of the two.
    let namespace = stale.namespace.as_deref().unwrap_or("*");
    let body = Bytes::copy_from_slice(namespace.as_bytes());
    told(&stale.target, context, (Method::POST, "/cache/stale"), body).await?;
    Ok(ExitCode::SUCCESS)
}
