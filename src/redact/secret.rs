//! A value that must never be printed: a webhook's URL, a token.

use std::fmt;

/// Holds a secret. Neither `Debug` nor an error shows it; it has no `Display` and is never serialised.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes the secret, without the spaces and line ends that a parameter store keeps around it.
    pub fn new(text: &str) -> Self {
        Secret(text.trim().to_owned())
    }

    /// Returns the secret for the one request that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Secret::new(text)
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Secret::new(&text)
    }
}
