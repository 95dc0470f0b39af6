//! `ficha apply`.

use std::{
    fmt::Write as _,
    fs,
    io::{self, IsTerminal},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use clap::Args;
use ficha_admin::{ApplyRequest, declaration};
use ficha_core::operator::{Declaration, Effect, Plan};

use super::{
    ask::Server,
    input::secret_file,
    output::{note, print, say},
    progress::{Progress, grouped},
};
use crate::{cli::Global, wire::WrongUse};

/// What is declared, and how much is asked before it is done.
#[derive(Debug, Args)]
pub(crate) struct ApplyArgs {
    /// The files, in TOML; read as one.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Only tell what would change.
    #[arg(long)]
    plan: bool,
    /// Don't ask.
    #[arg(long, short, conflicts_with = "plan")]
    yes: bool,
}

/// Steps of a plan that are all told at a terminal.
const TOLD: usize = 200;
/// Steps of a longer one that are told there.
const SOME: usize = 50;

pub(super) async fn run(args: ApplyArgs, global: &Global) -> Result<()> {
    let pieces = read(&args.files)?.pieces().map_err(|problems| WrongUse::of(&problems))?;
    let server = Server::find(global).await?;
    let mut requests: Vec<_> =
        pieces.into_iter().map(|declaration| ApplyRequest { declaration, carry_out: false }).collect();
    let planned = ask(&server, &requests).await?;
    if args.plan || (planned.steps.is_empty() && !global.json) {
        return say(global.json, &planned, text);
    }
    if !global.json {
        print(&text(&planned))?;
        let asks = !args.yes && io::stdin().is_terminal() && io::stdout().is_terminal();
        if asks && !agreed()? {
            return print("Nothing was changed.");
        }
    }
    for request in &mut requests {
        request.carry_out = true;
    }
    let applied = ask(&server, &requests).await?;
    say(global.json, &applied, |applied| match applied.steps.len() {
        0 => "Everything is as declared by now.".to_owned(),
        1 => "Applied: 1 change.".to_owned(),
        n => format!("Applied: {} changes.", grouped(n as u64)),
    })
}

/// Asks for one piece after the other, and makes one plan of the answers.
async fn ask(server: &Server, requests: &[ApplyRequest]) -> Result<Plan> {
    let carry_out = requests.iter().any(|request| request.carry_out);
    let total = requests.iter().map(|request| request.declaration.members() as u64).sum();
    let mut progress = Progress::new(if carry_out { "records applied" } else { "records compared" }, total);
    let mut plan = Plan { applied: carry_out, ..Plan::default() };
    for (n, request) in requests.iter().enumerate() {
        let part: Result<Plan> = server.post("/v1/apply", request).await;
        let part = match part {
            Err(error) if carry_out && n > 0 => {
                return Err(error.context(
                    "what was applied until now stays; apply the same files again, and it goes on where it ended",
                ));
            }
            part => part?,
        };
        if n == 0 {
            plan.unchanged += part.unchanged;
            plan.steps.extend(part.steps);
        } else {
            // Every piece tells of its issuers and APIs anew; the first one told it for all.
            let members = part.steps.into_iter().filter(|step| ["client", "user"].contains(&step.kind.as_str()));
            let before = plan.steps.len();
            plan.steps.extend(members);
            plan.unchanged += request.declaration.members() - (plan.steps.len() - before);
        }
        progress.at((plan.steps.len() + plan.unchanged) as u64);
    }
    Ok(plan)
}

/// The files as one declaration, with what they name from other files.
fn read(files: &[PathBuf]) -> Result<Declaration> {
    let open = |path: &Path| secret_file(path);
    let text = |path: &PathBuf| {
        let text = fs::read_to_string(path).map_err(|e| WrongUse(format!("{}: {e}", path.display())))?;
        Ok::<_, WrongUse>((path.display().to_string(), text))
    };
    let texts = files.iter().map(text).collect::<Result<Vec<_>, _>>()?;
    Ok(declaration::read(&texts, &open).map_err(|problems| WrongUse::of(&problems))?)
}

fn agreed() -> Result<bool> {
    note("Apply this? [y/N]");
    let mut answer = String::new();
    io::stdin().read_line(&mut answer).context("standard input")?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

fn text(plan: &Plan) -> String {
    if plan.steps.is_empty() {
        return format!("Everything is as declared ({} records). Nothing to do.", plan.unchanged);
    }
    let mut out = String::new();
    // Whoever wants all of a long plan takes it into a file.
    let told = if plan.steps.len() > TOLD && io::stdout().is_terminal() { SOME } else { plan.steps.len() };
    for step in plan.steps.iter().take(told) {
        let sign = match step.effect {
            Effect::Add => '+',
            Effect::Change => '~',
        };
        let details = if step.details.is_empty() { String::new() } else { format!("  ({})", step.details.join("; ")) };
        let _ = writeln!(out, "{sign} {} {} {}{details}", step.issuer, step.kind, step.name);
    }
    if told < plan.steps.len() {
        let _ = writeln!(out, "… and {} more", grouped((plan.steps.len() - told) as u64));
    }
    let (adds, changes) = plan.steps.iter().fold((0, 0), |(adds, changes), step| match step.effect {
        Effect::Add => (adds + 1, changes),
        Effect::Change => (adds, changes + 1),
    });
    let _ = writeln!(out, "{adds} to add, {changes} to change, {} as declared. Nothing is removed.", plan.unchanged);
    out
}
