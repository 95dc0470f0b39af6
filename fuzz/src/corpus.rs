//! A corpus as an ordinary test: none of its files makes its target panic, whole or cut anywhere.

use std::{fs, path::Path};

pub(crate) fn run(name: &str, target: fn(&[u8])) {
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

/// A test for each target in `targets`.
macro_rules! corpora {
    ($($name:ident),+ $(,)?) => {$(
        #[test]
        fn $name() {
            crate::corpus::run(stringify!($name), crate::targets::$name);
        }
    )+};
}
pub(crate) use corpora;
