//! The picture of a report, which is drawn where a channel shows one.

use std::sync::Arc;

use super::Run;
use crate::delivery::{Kind, Picture};
use crate::report::{Document, picture};

impl Run<'_> {
    /// Returns the picture of a report. Facts that come before it and notices have none.
    pub(super) fn picture(&self, document: &Document, kind: Kind) -> Option<Picture> {
        let asked = picture::Picture::of(document).filter(|_| kind == Kind::Report)?;
        let telemetry = Arc::clone(&self.services.telemetry);
        let widget = asked.widget;
        let drawing = async move { telemetry.picture(&widget).await.map_err(|error| error.to_string()) };
        Some(Picture::new(asked.title, asked.alt, drawing))
    }
}
