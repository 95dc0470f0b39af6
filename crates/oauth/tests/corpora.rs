//! The fuzz targets' corpora as ordinary tests: none makes a parser panic.

#[path = "../../../fuzz/src/corpus.rs"]
mod corpus;
#[path = "../../../fuzz/src/targets.rs"]
mod targets;

corpus::corpora!(form, json, basic, jwt, refresh_token, dialect_file, forwarding);
