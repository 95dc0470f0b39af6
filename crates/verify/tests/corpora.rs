//! The fuzz targets' corpora as ordinary tests: none makes a parser panic.

#[path = "../../../fuzz/src/corpus.rs"]
mod corpus;
#[path = "../../../fuzz/src/verify_targets.rs"]
mod targets;

corpus::corpora!(feed, claims);
