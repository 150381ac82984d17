//! What a service hands back to the HTTP front: status, headers, bytes.

/// One HTTP answer, still free of any web framework.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    /// HTTP status.
    pub(crate) status: u16,
    /// Header names and values, `content-type` among them.
    pub(crate) headers: Vec<(String, String)>,
    /// Body as sent.
    pub(crate) body: Vec<u8>,
}
