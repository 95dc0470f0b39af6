//! `ficha backup`.

use std::path::PathBuf;

use anyhow::{Context, Result, anyhow};
use clap::Args;
use ficha_admin::{BackupLine, BackupRequest};

use super::{
    ask::Server,
    output::{moment, say},
    progress::{Progress, grouped},
};
use crate::cli::Global;

/// Where the backup goes.
#[derive(Debug, Args)]
pub(crate) struct BackupArgs {
    /// The file, which is made; none is overwritten.
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

pub(super) async fn run(args: BackupArgs, global: &Global) -> Result<()> {
    let file = std::path::absolute(&args.file).with_context(|| args.file.display().to_string())?;
    let server = Server::find(global).await?;
    let (mut progress, mut checking, asked) = (None, false, BackupRequest { file });
    let made = server.follow("/v1/backup", &asked, |line| match line {
        BackupLine::Copied(done, total) => {
            // What is told once all is copied says that the copy is still being looked at.
            if done == total && !checking {
                checking = true;
                progress = Some(Progress::new("pages copied, which are now checked", total));
            }
            progress.get_or_insert_with(|| Progress::new("pages copied", total)).at(done);
            None
        }
        BackupLine::Done(backup) => Some(Ok(backup)),
        BackupLine::Failed(why) if why.hint.is_empty() => Some(Err(anyhow!("{}", why.message))),
        BackupLine::Failed(why) => Some(Err(anyhow!("{}\n{}", why.message, why.hint))),
    });
    let made = made.await?;
    drop(progress);
    say(global.json, &made, |made| {
        format!(
            "{}: {} bytes, as of {}.\n\
             The master key is not in it, and without that key it is of no use to anybody, you included: keep a copy of the key\n\
             at another place. `ficha restore` puts the backup back.",
            made.file.display(),
            grouped(made.bytes),
            moment(made.at)
        )
    })
}
