//! The fuzz targets' corpora as ordinary tests: none makes a parser panic.

#[path = "../../../fuzz/src/corpus.rs"]
mod corpus;
#[path = "../../../fuzz/src/gate_targets.rs"]
mod targets;

corpus::corpora!(rules_file, gate_path);
