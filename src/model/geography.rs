//! Geographies of inference profiles: which prefixes a Region may call.
//!
//! A profile leads only into Regions of its own geography, so its prefix tells where a prompt can go. The lists are
//! for choosing among profiles and never for refusing an identifier: a prefix that is not listed is sent as it stands.

/// The prefix whose prompts may go to any commercial Region.
pub const GLOBAL: &str = "global";

/// Prefixes that are known to lead somewhere else than everywhere.
const KNOWN: &[&str] = &["us", "us-gov", "eu", "apac", "jp", "au", "in", "ca"];

/// The beginning of a Region's name with the prefixes that the Region may call, the narrowest first. The first row
/// that fits counts.
const REGIONS: &[(&str, &[&str])] = &[
    ("us-gov-", &["us-gov"]),
    ("us-", &["us"]),
    ("ca-", &["ca", "us"]),
    ("eu-", &["eu"]),
    ("ap-northeast-1", &["jp", "apac"]),
    ("ap-northeast-3", &["jp", "apac"]),
    ("ap-southeast-2", &["au", "apac"]),
    ("ap-southeast-4", &["au", "apac"]),
    ("ap-south-", &["in", "apac"]),
    ("ap-", &["apac"]),
];

/// Returns the prefixes of a Region's own geography, the narrowest first; none where no profile is known.
pub fn of_region(region: &str) -> &'static [&'static str] {
    REGIONS.iter().find(|(begins, _)| region.starts_with(begins)).map_or(&[], |(_, prefixes)| prefixes)
}

/// Tells whether a prefix is one of those that lead into a named part of the world.
pub fn is_known(prefix: &str) -> bool {
    KNOWN.contains(&prefix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_calls_its_own_geography_the_narrowest_first() {
        let rows: &[(&str, &[&str])] = &[
            ("us-east-1", &["us"]),
            ("us-gov-west-1", &["us-gov"]),
            ("ca-central-1", &["ca", "us"]),
            ("eu-central-1", &["eu"]),
            ("ap-northeast-1", &["jp", "apac"]),
            ("ap-southeast-2", &["au", "apac"]),
            ("ap-southeast-1", &["apac"]),
            ("ap-south-1", &["in", "apac"]),
            ("sa-east-1", &[]),
            ("", &[]),
        ];
        for (region, prefixes) in rows {
            assert_eq!(of_region(region), *prefixes, "{region}");
            assert!(prefixes.iter().all(|prefix| is_known(prefix)));
        }
    }
}
