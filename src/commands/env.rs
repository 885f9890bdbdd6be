//! `ghswarm env`.

use std::process::ExitCode;

use anyhow::bail;

use super::context::{Context, NO_DAEMON};
use super::{join, launch, print, variables};
use crate::cli::{Env, EnvFormat};
use crate::daemon::AskError;

pub(super) async fn run(env: Env, context: &Context<'_>) -> anyhow::Result<ExitCode> {
    let ready = match context.daemon(&env.target)?.ready().await {
        Ok(ready) => {
            join::check(&ready, context)?;
            ready
        }
        Err(AskError::Nobody { .. }) if env.start => {
            let settings = context.settings(env.target.settings())?;
            launch::running(&settings, context).await?.ready
        }
        Err(AskError::Nobody { .. }) => match join::host(&env.target.settings(), context).await {
            Some(ready) => ready,
            None => bail!("{NO_DAEMON}, or use `ghswarm env --start`"),
        },
        Err(error) => return Err(error.into()),
    };
    let variables = variables::of(&ready, context.environment())?;
    match env.format {
        EnvFormat::Shell => print::bytes(variables::shell(&variables).as_bytes())?,
        EnvFormat::Github => print::bytes(variables::github(&variables)?.as_bytes())?,
        EnvFormat::Json => print::json(&variables)?,
    }
    Ok(ExitCode::SUCCESS)
}
