//! Claims are checked by code, not by a prompt. Pure.
//!
//! A claim cites evidence with an exact quote, or a metric with time and value. Code reads the stored evidence
//! again; what does not check is dropped, and the report shows how many did.

pub mod claim;
pub mod verdict;
pub mod verify;
pub mod wording;

pub use claim::{Citation, Claim, ClaimKind};
pub use verdict::{Review, ReviewDecision, Verdict, VerdictKind};
pub use verify::{Checked, Counts, Grounds};
