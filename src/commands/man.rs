//! `ghswarm man`.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::CommandFactory as _;

use super::print;
use crate::cli::{Cli, Man};

pub(super) fn run(man: Man) -> anyhow::Result<ExitCode> {
    if let Some(dir) = man.dir {
        let cannot = || format!("cannot write manual pages to {}", dir.display());
        std::fs::create_dir_all(&dir).with_context(cannot)?;
        clap_mangen::generate_to(Cli::command(), &dir).with_context(cannot)?;
    } else {
        let mut page = Vec::new();
        clap_mangen::Man::new(Cli::command()).render(&mut page)?;
        print::bytes(&page)?;
    }
    Ok(ExitCode::SUCCESS)
}
