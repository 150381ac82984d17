//! The command line's channel: the card as text, handed to a writer that the binary owns.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use futures::future::BoxFuture;

use crate::clock::Deadline;
use crate::delivery::{Channel, DeliveryError, Post, Receipt};
use crate::report::{Document, terminal};

/// Where the card goes.
pub type SharedWriter = Arc<Mutex<dyn Write + Send>>;

/// Writes the card for a terminal.
#[derive(Clone)]
pub struct Stdout {
    writer: SharedWriter,
    colour: bool,
}

impl Stdout {
    /// Returns a channel that writes to `writer`, with ANSI emphasis where `colour` is wanted.
    pub fn new(writer: SharedWriter, colour: bool) -> Self {
        Stdout { writer, colour }
    }

    fn write(&self, document: &Document) -> std::io::Result<()> {
        let text = terminal::render(document, self.colour);
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        writeln!(writer, "{text}")?;
        writer.flush()
    }
}

impl std::fmt::Debug for Stdout {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stdout").field("colour", &self.colour).finish_non_exhaustive()
    }
}

impl Channel for Stdout {
    fn name(&self) -> &'static str {
        "stdout"
    }

    fn deliver<'a>(
        &'a self,
        post: Post<'a>,
        _deadline: Deadline,
    ) -> BoxFuture<'a, Result<Receipt, DeliveryError>> {
        Box::pin(async move {
            self.write(post.document)
                .map(|()| Receipt {
                    channel: self.name().to_owned(),
                    reference: None,
                    note: None,
                    facts: false,
                })
                .map_err(|error| DeliveryError {
                    channel: self.name().to_owned(),
                    reason: format!("the card could not be written: {error}"),
                })
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::report::samples;

    #[tokio::test]
    async fn the_card_is_written_once_with_a_line_end() {
        let written = Arc::new(Mutex::new(Vec::new()));
        let channel = Stdout::new(written.clone(), false);
        let document = samples::cause_shown();
        let receipt =
            channel.deliver(Post::report(&document), Deadline::after(Duration::from_secs(1))).await.unwrap();
        assert_eq!(receipt.channel, "stdout");
        let text = String::from_utf8(written.lock().unwrap().clone()).unwrap();
        assert_eq!(text, format!("{}\n", terminal::render(&document, false)));
    }

    #[tokio::test]
    async fn a_closed_pipe_is_an_error_and_no_panic() {
        struct Closed;
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
                Err(std::io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let channel = Stdout::new(Arc::new(Mutex::new(Closed)), false);
        let document = samples::cause_shown();
        let error = channel
            .deliver(Post::report(&document), Deadline::after(Duration::from_secs(1)))
            .await
            .unwrap_err();
        assert_eq!(error.to_string(), "stdout: the card could not be written: broken pipe");
    }
}
