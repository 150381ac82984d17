//! A picture that is drawn while a report is posted: whoever shows it waits for it, nobody else does.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, Shared};

/// Longest time that drawing may take.
const DRAWING_TIME: Duration = Duration::from_secs(5);

/// How every PNG begins.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";

/// A picture, its title and what is to be seen on it. It is drawn once, from the moment when it is first waited for.
#[derive(Clone)]
pub struct Picture {
    /// What it is called.
    pub title: String,
    /// What is to be seen, for those who do not see it.
    pub alt: String,
    drawing: Shared<BoxFuture<'static, Result<Option<Arc<[u8]>>, String>>>,
}

impl Picture {
    /// Returns a picture that `drawing` will draw as a PNG, or has none of; its error is told as it is.
    pub fn new(
        title: String,
        alt: String,
        drawing: impl Future<Output = Result<Option<Vec<u8>>, String>> + Send + 'static,
    ) -> Self {
        let drawing = async move {
            // A channel that waits for it must not be taken along by a panic.
            let drawing = AssertUnwindSafe(drawing).catch_unwind();
            match tokio::time::timeout(DRAWING_TIME, drawing).await {
                Ok(Ok(Ok(Some(bytes)))) if bytes.starts_with(PNG) => Ok(Some(Arc::from(bytes))),
                Ok(Ok(Ok(Some(_)))) => Err("what came is no PNG".to_owned()),
                Ok(Ok(Ok(None))) => Ok(None),
                Ok(Ok(Err(reason))) => Err(reason),
                Ok(Err(_panic)) => Err("drawing it broke off with a fault of its own".to_owned()),
                Err(_elapsed) => Err(format!("not drawn in {} s", DRAWING_TIME.as_secs())),
            }
        };
        Picture { title, alt, drawing: drawing.boxed().shared() }
    }

    /// Waits for the PNG; `None` where there is none of this report.
    pub async fn drawn(&self) -> Result<Option<Arc<[u8]>>, String> {
        self.drawing.clone().await
    }
}

impl std::fmt::Debug for Picture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Picture({})", self.title)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(drawing: impl Future<Output = Result<Option<Vec<u8>>, String>> + Send + 'static) -> Picture {
        Picture::new("title".to_owned(), "alt".to_owned(), drawing)
    }

    #[tokio::test(start_paused = true)]
    async fn what_hangs_breaks_or_is_no_png_is_a_reason() {
        let hangs = picture(std::future::pending());
        assert_eq!(hangs.drawn().await, Err("not drawn in 5 s".to_owned()));
        let breaks = picture(async { panic!("inside") });
        assert_eq!(breaks.drawn().await, Err("drawing it broke off with a fault of its own".to_owned()));
        let other = picture(async { Ok(Some(b"GIF89a".to_vec())) });
        assert_eq!(other.drawn().await, Err("what came is no PNG".to_owned()));
    }

    #[tokio::test]
    async fn it_is_drawn_once_for_all_who_wait() {
        let drawn = Arc::new(std::sync::atomic::AtomicU32::new(0));
        let count = Arc::clone(&drawn);
        let picture = picture(async move {
            count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            Ok(Some(PNG.to_vec()))
        });
        assert_eq!(drawn.load(std::sync::atomic::Ordering::SeqCst), 0, "nobody waits yet");
        let (one, other) = tokio::join!(picture.drawn(), picture.drawn());
        assert_eq!(one.unwrap().unwrap()[..], *PNG);
        assert!(other.is_ok());
        assert_eq!(drawn.load(std::sync::atomic::Ordering::SeqCst), 1);
    }
}
