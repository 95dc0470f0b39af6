//! `POST /v1/backup`: a line of JSON for each bit of the way, and one for the end.

use std::{path::PathBuf, sync::Arc};

use axum::{body::Body as Lines, response::IntoResponse};
use bytes::Bytes;
use ficha_core::operator::Backup;
use futures_util::stream;
use http::{HeaderValue, header::CONTENT_TYPE};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use crate::{
    ErrorBody, Failure,
    api::State,
    extract::{Body, Who},
};

/// Lines that wait for the reader; how far it is may be left out, the end never.
const WAITING: usize = 16;

/// What is to be backed up where.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackupRequest {
    /// The file, from the root on; made by the server, never overwritten.
    pub file: PathBuf,
}

/// A line of the answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BackupLine {
    /// How many pages of how many were copied.
    Copied(u64, u64),
    /// It is done.
    Done(Backup),
    /// It was not done.
    Failed(ErrorBody),
}

pub(crate) async fn backup(
    axum::extract::State(operator): State,
    Who(actor): Who,
    Body(asked): Body<BackupRequest>,
) -> axum::response::Response {
    let (lines, told) = mpsc::channel::<BackupLine>(WAITING);
    tokio::spawn(async move {
        let copied = {
            let lines = lines.clone();
            // Who hears nothing any more waits for nothing either.
            move |done, total| {
                !matches!(lines.try_send(BackupLine::Copied(done, total)), Err(mpsc::error::TrySendError::Closed(_)))
            }
        };
        let end = match operator.backup(&actor, &asked.file, Arc::new(copied)).await {
            Ok(backup) => BackupLine::Done(backup),
            Err(error) => BackupLine::Failed(Failure::from(error).into_body("POST /v1/backup")),
        };
        // Nobody waits for it.
        let _ = lines.send(end).await;
    });
    let lines = stream::unfold(told, async |mut told| {
        let line = told.recv().await?;
        let text = serde_json::to_vec(&line).map(|mut text| {
            text.push(b'\n');
            Bytes::from(text)
        });
        Some((text, told))
    });
    let mut response = Lines::from_stream(lines).into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
    response
}
