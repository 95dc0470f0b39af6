//! `ficha apply`: makes the issuers as they are declared. Twice changes nothing, and nothing is ever removed.

use std::collections::HashMap;

use ficha_jose::sha256;
use ficha_types::{ClientId, IssuerName, Secret, UnixSeconds};
use futures_util::future::try_join_all;

use super::{
    Actor, Declaration, DeclaredIssuer, DeclaredPassword, DeclaredUser, Effect, Operator, OperatorError, Plan, Problem,
    Step,
    act::{Act, Said, TRIES},
    check::{self, Before},
    differences,
    make_keys::Needed,
    merge,
    sealing::Sealing,
    slots::slots,
    users,
};
use crate::{
    passwords::taken_in,
    ports::{Edit, Expect},
    records::{Api, Issuer, KeyRow, KeyState, Mark, Marked, PasswordHash, Status, User},
};

/// Records that are read at a time.
const READS: usize = 16;

/// What is to be done for one issuer.
struct Planned<'d> {
    name: IssuerName,
    expect: Expect,
    edits: Vec<Edit>,
    steps: Vec<Step>,
    unchanged: usize,
    /// Users whose passwords are still to be hashed.
    unhashed: Vec<(User, &'d Secret)>,
    needed: Vec<Needed>,
    record: Issuer,
    keys: Vec<KeyRow>,
    sealing: Sealing,
    problems: Vec<Problem>,
    now: UnixSeconds,
}

impl Operator {
    /// Works out what `declaration` changes, and does it when `carry_out`: all is checked before anything is written; then one
    /// commit for each issuer.
    ///
    /// # Errors
    /// [`OperatorError::Declaration`] with everything that is wrong; others as in any act.
    pub async fn apply(
        &self,
        actor: &Actor,
        declaration: &Declaration,
        carry_out: bool,
    ) -> Result<Plan, OperatorError> {
        let after: Vec<_> = declaration.issuers.iter().map(merge::issuer).collect();
        let others = self.rivals(&after).await?;
        let mut problems = check::together(declaration, &others);
        let mut planned = Vec::new();
        for declared in &declaration.issuers {
            match self.plan(declared).await {
                Ok(plan) => planned.push((declared, plan)),
                Err(OperatorError::Declaration(more)) => problems.extend(more),
                Err(error) => return Err(error),
            }
        }
        // The router would say once more what was said already.
        if problems.is_empty() {
            problems.extend(self.clashes(declaration, (&after, &others)));
        }
        if !problems.is_empty() {
            return Err(OperatorError::Declaration(problems));
        }
        let mut plan = Plan { applied: carry_out, ..Plan::default() };
        for (declared, planned) in planned {
            let (steps, unchanged) = if carry_out {
                self.carry_out(actor, declared, planned).await?
            } else {
                (planned.steps, planned.unchanged)
            };
            plan.steps.extend(steps);
            plan.unchanged += unchanged;
        }
        Ok(plan)
    }

    /// What the router says of the issuers as they will be.
    fn clashes(&self, declaration: &Declaration, (after, others): (&[Issuer], &[Issuer])) -> Option<Problem> {
        let clash = self.routes.check(after, others).err()?;
        declaration.issuers.first().map(|first| first.at.problem("base_urls", clash))
    }

    async fn before(&self, declared: &DeclaredIssuer) -> Result<Before, OperatorError> {
        let store = &*self.rules.clients;
        let name = &declared.name;
        let rows = store.issuer(name).await?;
        let (mut clients, mut users) = (HashMap::new(), HashMap::new());
        if rows.is_some() {
            let api_names = declared.apis.iter().filter_map(|a| a.name.as_str().parse::<ClientId>().ok());
            let ids: Vec<_> = declared.clients.iter().map(|c| c.id.clone()).chain(api_names).collect();
            for ids in ids.chunks(READS) {
                let reads: Vec<_> = ids.iter().map(|id| store.client(name, id)).collect();
                let rows = try_join_all(reads).await?;
                clients.extend(ids.iter().zip(rows).filter_map(|(id, row)| Some((id.clone(), row?.client))));
            }
            for declared in declared.users.chunks(READS) {
                let reads: Vec<_> = declared.iter().map(|user| store.user(name, &user.name)).collect();
                let rows = try_join_all(reads).await?.into_iter().flatten();
                users.extend(rows.map(|row| (row.user.name.clone(), row.user)));
            }
        }
        Ok(Before { rows, clients, users })
    }

    async fn plan<'d>(&self, declared: &'d DeclaredIssuer) -> Result<Planned<'d>, OperatorError> {
        let before = self.before(declared).await?;
        let problems = check::issuer(declared, &before, (&*self.rules.dialects, &*self.routes));
        if !problems.is_empty() {
            return Err(OperatorError::Declaration(problems));
        }
        let mut planned = self.begin(declared, &before)?;
        let apis = planned.apis(declared, &before, self);
        let dialects = super::slots::dialects(&self.rules, &planned.record);
        planned.keys_for(&apis, &dialects);
        planned.clients(declared, &before, self);
        for user in &declared.users {
            self.plan_user(&mut planned, user, before.users.get(&user.name)).await?;
        }
        if planned.problems.is_empty() { Ok(planned) } else { Err(OperatorError::Declaration(planned.problems)) }
    }

    /// The issuer itself; for a new one its symmetric keys.
    fn begin<'d>(&self, declared: &DeclaredIssuer, before: &Before) -> Result<Planned<'d>, OperatorError> {
        let name = &declared.name;
        let record = merge::issuer(declared);
        let (expect, rows_sealing, keys) = match &before.rows {
            Some(rows) => (Expect::At(rows.configured), rows.sealing.clone(), rows.keys.clone()),
            None => (Expect::New, self.new_sealing(name), Vec::new()),
        };
        let sealing = Sealing::open(name, &rows_sealing, &self.masters)?;
        let mut planned = Planned {
            name: name.clone(),
            expect,
            edits: Vec::new(),
            steps: Vec::new(),
            unchanged: 0,
            unhashed: Vec::new(),
            needed: Vec::new(),
            record: record.clone(),
            keys,
            sealing,
            problems: Vec::new(),
            now: self.rules.clock.now(),
        };
        let urls = || record.places.iter().map(|p| p.url.to_string()).collect::<Vec<_>>().join(" ");
        let added = || vec![format!("dialect {}", record.dialect), format!("at {}", urls())];
        let difference = before.rows.as_ref().map(|rows| differences::issuer(&rows.issuer, &record));
        if planned.step("issuer", name.as_str(), difference, added) {
            planned.edits.push(Edit::PutIssuer(record.clone()));
        }
        if before.rows.is_none() {
            planned.edits.extend(rows_sealing.into_iter().map(Edit::PutSealing));
        }
        Ok(planned)
    }

    async fn plan_user<'d>(
        &self,
        planned: &mut Planned<'d>,
        declared: &'d DeclaredUser,
        before: Option<&User>,
    ) -> Result<(), OperatorError> {
        let (password, source, plain) = self.password(&planned.sealing, declared, before).await?;
        let after = User {
            name: declared.name.clone(),
            sub: match before {
                Some(before) => before.sub.clone(),
                None => users::new_subject(&*self.rules.chance)?,
            },
            status: declared.status.or(before.map(|b| b.status)).unwrap_or(Status::Enabled),
            password,
            scopes: declared.scopes.clone(),
            password_source: source,
        };
        if before == Some(&after) {
            planned.unchanged += 1;
            return Ok(());
        }
        planned.step("user", after.name.as_str(), before.map(|b| differences::user(b, &after)), Vec::new);
        let ends = before.is_some_and(|b| b.password != after.password || disabled(b.status, after.status));
        let mark = ends.then(|| Marked::User(after.sub.clone()));
        match plain {
            Some(plain) => planned.unhashed.push((after, plain)),
            None => planned.edits.push(Edit::PutUser(after)),
        }
        planned.edits.extend(mark.map(|whose| self.mark(whose)));
        Ok(())
    }

    /// The password to keep: hash, source, and the password itself where it is still to be hashed. A declared hash that was
    /// taken in before is not taken in again, whatever became of it since: a login upgrades it, the person changes it.
    async fn password<'d>(
        &self,
        sealing: &Sealing,
        declared: &'d DeclaredUser,
        before: Option<&User>,
    ) -> Result<(PasswordHash, Option<[u8; 32]>, Option<&'d Secret>), OperatorError> {
        match (&declared.password, before) {
            (DeclaredPassword::Hash(hash), before) => {
                let source = sealing.password_source(declared.name.as_str(), &sha256(hash.expose().as_bytes()));
                let kept = before.filter(|b| b.password_source == Some(source) || b.password == *hash);
                let hash = match kept {
                    Some(before) => before.password.clone(),
                    None => taken_in(hash.expose()).map_err(|e| OperatorError::refused(e.to_string(), ""))?,
                };
                Ok((hash, Some(source), None))
            }
            (DeclaredPassword::Plain(password), Some(before)) => {
                let copy = Secret::new(password.expose().to_owned());
                if self.rules.passwords.check(copy, Some(&before.password)).await?.right {
                    return Ok((before.password.clone(), before.password_source, None));
                }
                Ok((PasswordHash::new(String::new()), None, Some(password)))
            }
            (DeclaredPassword::Plain(password), None) => Ok((PasswordHash::new(String::new()), None, Some(password))),
        }
    }

    pub(super) fn mark(&self, whose: Marked) -> Edit {
        Edit::PutMark(Mark { whose, at: self.rules.clock.now() + self.rules.limits.max_clock_skew })
    }

    /// Does what was planned; plans anew when the issuer was changed meanwhile.
    async fn carry_out(
        &self,
        actor: &Actor,
        declared: &DeclaredIssuer,
        mut planned: Planned<'_>,
    ) -> Result<(Vec<Step>, usize), OperatorError> {
        for _ in 0..TRIES {
            let (steps, unchanged) = (std::mem::take(&mut planned.steps), planned.unchanged);
            if steps.is_empty() && planned.edits.is_empty() {
                return Ok((steps, unchanged));
            }
            let (name, expect) = (planned.name.clone(), planned.expect);
            let act = self.act(planned, &steps).await?;
            if self.commit_expecting(actor, (&name, expect), act).await? {
                return Ok((steps, unchanged));
            }
            planned = self.plan(declared).await?;
        }
        Err(OperatorError::Contended)
    }

    /// Makes the keys and hashes the passwords.
    async fn act(&self, planned: Planned<'_>, steps: &[Step]) -> Result<Act, OperatorError> {
        let keys = self.make_keys(&planned.record, &planned.sealing, &planned.keys, &planned.needed).await?;
        let mut edits = planned.edits;
        edits.extend(keys.into_iter().map(Edit::PutKey));
        for (user, plain) in planned.unhashed {
            let copy = Secret::new(plain.expose().to_owned());
            let password = self.rules.passwords.hash(copy, &*self.rules.chance).await?;
            edits.push(Edit::PutUser(User { password, ..user }));
        }
        // Marks go last: they stand on what the act has made.
        edits.sort_by_key(|edit| matches!(edit, Edit::PutMark(_)));
        let said =
            |step: &Step| Said::new(action(step), &format!("{} {}", step.kind, step.name), step.details.join("; "));
        Ok(Act { edits, audit: steps.iter().map(said).collect() })
    }
}

impl Planned<'_> {
    /// Notes a step: `difference` is `None` for what is new. `false` when there is nothing to do.
    fn step(
        &mut self,
        kind: &str,
        name: &str,
        difference: Option<Vec<String>>,
        added: impl FnOnce() -> Vec<String>,
    ) -> bool {
        let (effect, details) = match difference {
            None => (Effect::Add, added()),
            Some(details) if details.is_empty() => {
                self.unchanged += 1;
                return false;
            }
            Some(details) => (Effect::Change, details),
        };
        let (issuer, kind, name) = (self.name.to_string(), kind.to_owned(), name.to_owned());
        self.steps.push(Step { effect, issuer, kind, name, details });
        true
    }

    /// The APIs; answers all that the issuer will have.
    fn apis(&mut self, declared: &DeclaredIssuer, before: &Before, operator: &Operator) -> Vec<Api> {
        let usual = operator.rules.dialects.dialect(&declared.dialect).map(|d| d.profile().algorithm);
        let kept = before.rows.as_ref().map_or(&[][..], |rows| &rows.apis);
        let mut all: Vec<Api> =
            kept.iter().filter(|a| !declared.apis.iter().any(|d| d.name == a.name)).cloned().collect();
        for api in &declared.apis {
            let old = kept.iter().find(|a| a.name == api.name);
            let Some(usual) = usual else { continue };
            match merge::api(api, old, (&self.sealing, self.now), usual) {
                Ok(new) => {
                    let added = || vec![format!("audience {}", new.audience), format!("signed by {}", new.algorithm)];
                    if self.step("api", new.name.as_str(), old.map(|old| differences::api(old, &new)), added) {
                        self.edits.push(Edit::PutApi(new.clone()));
                    }
                    all.push(new);
                }
                Err(message) => self.problems.push(api.at.problem("secrets", message)),
            }
        }
        all
    }

    /// The keys that the APIs need and that are not there.
    fn keys_for(&mut self, apis: &[Api], dialects: &[std::sync::Arc<dyn crate::ports::Dialect>]) {
        for slot in slots(apis, dialects) {
            if slot.signer(&self.keys, self.now).is_none() {
                let name = slot.to_string();
                self.step("key", &name, None, Vec::new);
                self.needed.push(Needed { slot, state: KeyState::Active, since: self.now });
            }
        }
    }

    fn clients(&mut self, declared: &DeclaredIssuer, before: &Before, operator: &Operator) {
        for client in &declared.clients {
            let old = before.clients.get(&client.id);
            match merge::client(client, old, (&self.sealing, self.now)) {
                Ok(new) => {
                    let grants = || new.grants.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
                    let difference = old.map(|old| differences::client(old, &new));
                    if self.step("client", new.id.as_str(), difference, || vec![format!("grants {}", grants())]) {
                        let ends = old.is_some_and(|old| disabled(old.status, new.status));
                        let mark = ends.then(|| operator.mark(Marked::Client(new.id.clone())));
                        self.edits.push(Edit::PutClient(new));
                        self.edits.extend(mark);
                    }
                }
                Err(message) => self.problems.push(client.at.problem("secrets", message)),
            }
        }
    }
}

fn disabled(before: Status, after: Status) -> bool {
    before == Status::Enabled && after == Status::Disabled
}

fn action(step: &Step) -> &'static str {
    match step.effect {
        Effect::Add => "apply.add",
        Effect::Change => "apply.change",
    }
}
