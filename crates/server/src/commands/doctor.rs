//! `ficha doctor`.

use std::fmt::Write;

use anyhow::Result;
use ficha_core::operator::{Finding, Severity};

use super::{ask::Server, output::say};
use crate::cli::Global;

pub(super) async fn run(global: &Global) -> Result<()> {
    let server = Server::find(global).await?;
    let findings: Vec<Finding> = server.get("/v1/doctor").await?;
    say(global.json, &findings, |findings| text(findings))?;
    let errors = findings.iter().filter(|f| f.severity == Severity::Error).count();
    if errors > 0 {
        anyhow::bail!("{errors} of {} findings can't wait", findings.len());
    }
    Ok(())
}

fn text(findings: &[Finding]) -> String {
    if findings.is_empty() {
        return "Nothing to complain of.".to_owned();
    }
    let mut out = String::new();
    for finding in findings {
        let severity = match finding.severity {
            Severity::Error => "ERROR",
            Severity::Warning => "warning",
            Severity::Note => "note",
        };
        let issuer = finding.issuer.as_ref().map_or_else(String::new, |issuer| format!("{issuer}: "));
        let _ = writeln!(out, "{severity}: {issuer}{}", finding.what);
        let _ = writeln!(out, "  why:     {}\n  way out: {}\n", finding.why, finding.way_out);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_says_what_why_and_the_way_out() {
        let finding = Finding {
            severity: Severity::Warning,
            issuer: Some("acme".into()),
            what: "API cards verifies by HS256".into(),
            why: "whoever can verify can sign".into(),
            way_out: "use ES256".into(),
        };
        let said = text(&[finding]);
        assert!(said.starts_with("warning: acme: API cards verifies by HS256\n  why:     whoever"), "{said}");
        assert!(said.contains("way out: use ES256"));
    }
}
