//! A 503 that is nobody's fault: the machine of the tests stood still for longer than a node waits for its database.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use super::{Answer, eventually};

/// How long a node waits for its database's word on what others have changed: what it waits for besides takes longer.
const NODE_WAITS: Duration = Duration::from_secs(1);

/// Fails unless this is such a 503, and who asked may ask again: it took as long as a node waits to come, or the log of one of the
/// nodes, each in a folder, tells of a look at the database that did.
#[track_caller]
pub fn bear_with(answer: &Answer, took: Duration, logs: &[PathBuf]) {
    assert!(answer.status == 503 && answer.header("retry-after").is_some(), "{}", answer.whole());
    if took < NODE_WAITS {
        // It is written a little later.
        let what = format!("a log tells why there was no time for this: {}", answer.whole());
        eventually(&what, || logs.iter().any(|folder| tells_of_a_slow_database(folder)));
    }
}

fn tells_of_a_slow_database(folder: &Path) -> bool {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut logs = files.filter(|path| path.extension().is_some_and(|extension| extension == "err"));
    logs.any(|log| String::from_utf8_lossy(&std::fs::read(log).unwrap()).contains("no answer within"))
}
