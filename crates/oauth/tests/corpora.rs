//! The fuzz targets' corpora as ordinary tests: none makes a parser panic.

#[path = "../../../fuzz/src/targets.rs"]
mod targets;

use std::{fs, path::Path};

fn corpus(name: &str, target: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(name);
    let mut files = 0;
    for entry in fs::read_dir(&folder).expect("the corpus is there") {
        let bytes = fs::read(entry.expect("a file").path()).expect("a readable file");
        target(&bytes);
        // Cut anywhere it must not panic either.
        for cut in 0..bytes.len().min(512) {
            target(bytes.get(..cut).unwrap_or_default());
        }
        files += 1;
    }
    assert!(files >= 4, "{} has {files} files", folder.display());
}

macro_rules! corpora {
    ($($name:ident),+ $(,)?) => {$(
        #[test]
        fn $name() {
            corpus(stringify!($name), targets::$name);
        }
    )+};
}

corpora!(form, json, basic, jwt, refresh_token, dialect_file, forwarding);
