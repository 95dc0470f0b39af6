//! The store stops taking writes while the server runs: 503 with `Retry-After` to who needs one, nothing half done, and recovery
//! without a restart.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use ficha_tests::{Answer, Config, eventually};

use crate::site::Site;

/// What a caller gets while the store is down.
#[track_caller]
fn is_unavailable(answer: &Answer) {
    assert_eq!(answer.status, 503, "{}", answer.whole());
    assert!(answer.header("retry-after").unwrap().parse::<u64>().unwrap() > 0);
    assert!(answer.text().contains("temporarily_unavailable"), "{}", answer.text());
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}

/// What there was before, to be used while the store is down and afterwards.
struct Before {
    access: String,
    refresh: String,
    kept: String,
    live: String,
}

impl Before {
    fn of(site: &Site) -> Self {
        let answer = site.ask("lean").token("app-0").send().expect(200);
        Self {
            access: answer.access_token(),
            refresh: answer.refresh_token(),
            kept: site.ask("deyel").login().send().expect(200).refresh_token(),
            live: site.ask("pomelo").pomelo("/oauth/token", "app-0").send().expect(200).access_token(),
        }
    }

    /// Writes are refused as our fault; what needs none goes on.
    fn while_down(&self, site: &Site) {
        let (lean, pomelo, deyel) = (site.ask("lean"), site.ask("pomelo"), site.ask("deyel"));
        is_unavailable(&lean.refresh("app-0", &self.refresh).send());
        is_unavailable(&lean.revoke("app-0", &self.access).send());
        is_unavailable(&lean.revoke("app-0", &self.refresh).send());
        is_unavailable(&deyel.revoke("app-0", &self.kept).send());
        let revoked = pomelo.pomelo("/oauth/token/revoke", "app-0").send();
        assert_eq!((revoked.status, revoked.text()), (503, r#"{"status":"Error"}"#));
        // Another live token would have to be kept first.
        is_unavailable(&pomelo.pomelo("/oauth/token", "app-3").send());
        lean.token("app-0").send().expect(200);
        site.ask("std").token("app-0").send().expect(200);
        let live = pomelo.pomelo("/oauth/token", "app-0").send().expect(200).access_token();
        assert_eq!(live, self.live);
        eventually("it is degraded", || site.server.ops().base("").get("/readyz").text() == "degraded\n");
        site.server.ops().base("").get("/readyz").expect(200);
        site.ask("std").token("app-0").send().expect(200);
        is_unavailable(&site.ask("strict").token("app-0").send());
        let command = site.server.cli(&["token", "revoke", "--client", "app-0", "--issuer", "lean"]);
        assert_eq!(command.code, 1, "{command:?}");
    }

    /// Nothing was half done, and everything goes on without a restart.
    fn afterwards(&self, site: &Site) {
        eventually("it is ready", || site.server.ops().base("").get("/readyz").text() == "ready\n");
        let (lean, pomelo, deyel) = (site.ask("lean"), site.ask("pomelo"), site.ask("deyel"));
        // Any beat that takes long is an outage to who allows none.
        eventually("who allows no outage is served", || site.ask("strict").token("app-0").send().status == 200);
        assert!(lean.is_active(&self.access), "a revocation that was refused was not made");
        assert_eq!(pomelo.pomelo("/oauth/token", "app-0").send().expect(200).access_token(), self.live);
        assert!(pomelo.is_active(&self.live));
        deyel.refresh("app-0", &self.kept).send().expect(200);
        let next = lean.refresh("app-0", &self.refresh).send().expect(200).refresh_token();
        assert_eq!(lean.refresh("app-0", &self.refresh).send().expect(200).refresh_token(), next);
        lean.refresh("app-0", &next).send().expect(200);
        lean.revoke("app-0", &self.access).send().expect(200);
        assert!(!lean.is_active(&self.access));
    }
}

#[test]
fn a_database_that_another_process_locks_is_our_fault_and_comes_back_by_itself() {
    let site = Site::new(Config::new());
    let before = Before::of(&site);
    let other = rusqlite::Connection::open(site.server.data.join("ficha.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    before.while_down(&site);
    other.execute_batch("ROLLBACK").unwrap();
    drop(other);
    before.afterwards(&site);
}

#[test]
fn a_full_disk_is_our_fault_and_is_over_when_there_is_room() {
    let config = Config::new();
    let Some(disk) = Disk::mount(&config.data(), "3m") else {
        println!("SKIPPED: a full disk needs root, to mount a small one");
        return;
    };
    let mut site = Site::new(config);
    let before = Before::of(&site);
    // Who reads holds the log as long as it is: emptied in an idle moment, it would leave room again.
    let reader = rusqlite::Connection::open(site.server.data.join("ficha.db")).unwrap();
    reader.execute_batch("BEGIN; SELECT * FROM notes").unwrap();
    disk.fill();
    let lean = site.ask("lean");
    // What was set aside before is used up first.
    eventually("the disk is full", || {
        let token = lean.token("app-1").send().expect(200).access_token();
        lean.revoke("app-1", &token).send().status == 503
    });
    before.while_down(&site);
    disk.empty();
    drop(reader);
    before.afterwards(&site);
    let kids = site.ask("std").kids();
    site.server.restart();
    assert_eq!(site.ask("std").kids(), kids);
    assert!(!site.ask("lean").is_active(&before.access));
    drop(site);
}

#[test]
fn a_file_that_may_not_be_written_any_more_is_our_fault_and_comes_back_by_itself() {
    let site = Site::new(Config::new());
    let before = Before::of(&site);
    let files: Vec<PathBuf> = ["ficha.db", "ficha.db-wal"].map(|name| site.server.data.join(name)).to_vec();
    let Some(sealed) = Sealed::seal(&files) else {
        println!("SKIPPED: an open file can be made read-only by root alone, and not on every file system");
        return;
    };
    before.while_down(&site);
    drop(sealed);
    before.afterwards(&site);
}

/// A small disk.
pub(crate) struct Disk(PathBuf);

impl Disk {
    /// `None` when that needs rights that the tests don't have.
    pub(crate) fn mount(at: &Path, size: &str) -> Option<Self> {
        std::fs::create_dir_all(at).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={size},mode=0700"), "tmpfs"]).arg(at);
        let mounted = mount.output().is_ok_and(|o| o.status.success());
        mounted.then(|| Self(at.to_owned()))
    }

    /// Leaves no room.
    pub(crate) fn fill(&self) {
        let mut filler = std::fs::File::create(self.0.join("filler")).unwrap();
        let piece = [0; 4096];
        while std::io::Write::write_all(&mut filler, &piece).is_ok() {}
    }

    /// Makes room again.
    pub(crate) fn empty(&self) {
        std::fs::remove_file(self.0.join("filler")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// Files that nobody may write, not even who has them open.
struct Sealed(Vec<PathBuf>);

impl Sealed {
    fn seal(files: &[PathBuf]) -> Option<Self> {
        let sealed = Self(files.to_vec());
        let done = files.iter().all(|file| chattr("+i", file));
        // A write to an open file is refused by some file systems only at the next opening.
        let probe = files[0].with_file_name("probe");
        let mut open = std::fs::File::create(&probe).unwrap();
        let refused = chattr("+i", &probe) && std::io::Write::write_all(&mut open, b"x").is_err();
        chattr("-i", &probe);
        (done && refused).then_some(sealed)
    }
}

impl Drop for Sealed {
    fn drop(&mut self) {
        for file in &self.0 {
            chattr("-i", file);
        }
    }
}

fn chattr(what: &str, file: &Path) -> bool {
    Command::new("chattr").arg(what).arg(file).output().is_ok_and(|o| o.status.success())
}
