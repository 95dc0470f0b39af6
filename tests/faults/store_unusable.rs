//! A database with which no server can start: a clear word and exit code 1, and nothing is touched.

use std::{
    fs,
    io::{Seek, SeekFrom, Write},
    path::Path,
};

use ficha_tests::{Addresses, Config, Output, Places, Server, dev, ficha};

use crate::{site::Site, store_down::Disk};

/// A server that was stopped, with data.
fn stopped() -> Site {
    let mut site = Site::new(Config::new());
    site.ask("pomelo").pomelo("/oauth/token", "app-0").send().expect(200);
    assert_eq!(site.server.stop(), 0);
    site
}

#[track_caller]
fn refuses(server: &mut Server, word: &str) -> Output {
    let said = server.try_start().expect_err("it starts");
    assert_eq!(said.code, 1, "{said:?}");
    let complaint = said.stderr.lines().last().unwrap_or_default().to_owned();
    assert!(said.stderr.contains(word) && said.stderr.contains("ficha.db"), "{word}: {said:?}");
    assert!(!complaint.contains("panicked"), "{said:?}");
    said
}

fn overwrite(path: &Path, at: u64, bytes: &[u8]) {
    let mut file = fs::OpenOptions::new().write(true).open(path).unwrap();
    file.seek(SeekFrom::Start(at)).unwrap();
    file.write_all(bytes).unwrap();
}

#[test]
fn a_file_that_is_no_database_is_refused_and_left_alone() {
    let mut site = stopped();
    site.server.unchecked();
    let path = site.server.data.join("ficha.db");
    fs::write(&path, "this is a letter to my aunt, and no database at all\n".repeat(100)).unwrap();
    let before = fs::read(&path).unwrap();
    refuses(&mut site.server, "no SQLite database");
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn a_file_that_was_cut_short_is_refused() {
    let mut site = stopped();
    let path = site.server.data.join("ficha.db");
    let whole = fs::metadata(&path).unwrap().len();
    fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(whole / 2).unwrap();
    refuses(&mut site.server, "damaged");
}

#[test]
fn a_database_of_another_program_is_refused() {
    let config = Config::new();
    let folder = config.data();
    fs::create_dir_all(&folder).unwrap();
    let other = rusqlite::Connection::open(folder.join("ficha.db")).unwrap();
    other.execute_batch("CREATE TABLE letters (text TEXT); PRAGMA user_version = 7").unwrap();
    drop(other);
    let mut server = Server::prepared(config);
    refuses(&mut server, "not one that ficha made");
}

#[test]
fn damage_inside_is_never_told_as_the_callers_fault() {
    let mut site = stopped();
    site.server.unchecked();
    let path = site.server.data.join("ficha.db");
    let pages = fs::metadata(&path).unwrap().len() / 4096;
    // Every page but the first is noise: the tables are there by name, and nothing in them can be read.
    for page in 1..pages {
        overwrite(&path, page * 4096, &[0xa5; 4096]);
    }
    match site.server.try_start() {
        Err(said) => {
            assert_eq!(said.code, 1, "{said:?}");
            assert!(said.stderr.contains("damaged") && said.stderr.contains("ficha.db"), "{said:?}");
        }
        Ok(()) => {
            let answer = site.ask("lean").token("app-0").send();
            assert_eq!(answer.status, 503, "{}", answer.whole());
        }
    }
}

#[test]
fn a_full_disk_is_named_at_the_start() {
    let config = Config::new();
    let Some(disk) = Disk::mount(&config.data(), "1m") else {
        println!("SKIPPED: a full disk needs root, to mount a small one");
        return;
    };
    disk.fill();
    let mut server = Server::prepared(config);
    refuses(&mut server, "full");
    disk.empty();
    server.start();
    assert_eq!(server.stop(), 0);
}

#[test]
fn a_second_server_on_the_same_data_is_refused_and_the_first_goes_on() {
    let site = Site::new(Config::new());
    let config = site.server.config();
    let second = config.write_at("second.toml", &Places::own());
    let said = ficha(config.dir(), ["serve", "--config", &second.display().to_string()]).expect(1);
    assert!(said.stderr.contains("another process uses the database"), "{said:?}");
    site.ask("lean").token("app-0").send().expect(200);
    let said = dev(config.dir(), &site.server.data);
    assert_ne!(said.code, 0);
}

#[test]
fn a_read_only_file_is_refused_with_what_to_mend() {
    let mut site = stopped();
    let path = site.server.data.join("ficha.db");
    let mut rights = fs::metadata(&path).unwrap().permissions();
    rights.set_readonly(true);
    fs::set_permissions(&path, rights.clone()).unwrap();
    refuses(&mut site.server, "can't be written");
    #[expect(clippy::permissions_set_readonly_false, reason = "it is the file of a test")]
    rights.set_readonly(false);
    fs::set_permissions(&path, rights).unwrap();
    site.server.start();
    site.ask("lean").token("app-0").send().expect(200);
}

#[test]
fn serve_refuses_a_database_that_dev_made_and_the_other_way_round() {
    let mut dev = Server::dev(Addresses::Own);
    assert_eq!(dev.stop(), 0);
    let config = Config::new();
    fs::create_dir_all(config.data()).unwrap();
    fs::copy(dev.data.join("ficha.db"), config.data().join("ficha.db")).unwrap();
    config.write_master("master.key", &fs::read_to_string(dev.data.join("master.key")).unwrap());
    let mut server = Server::prepared(config);
    refuses(&mut server, "made by `ficha dev`");

    let site = stopped();
    fs::remove_file(dev.data.join("ficha.db")).unwrap();
    fs::copy(site.server.data.join("ficha.db"), dev.data.join("ficha.db")).unwrap();
    let said = dev.try_start().expect_err("it starts");
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.stderr.contains("made by `ficha serve`"), "{said:?}");
}
