//! `models`: the catalogue joined with what the account shows.

use serde_json::json;
use sre_agent::clock::Clock;
use sre_agent::doctor::listing::{self, Row};
use sre_agent::evidence::text::day;

use crate::args::Shared;
use crate::failure::{Ending, Failure};
use crate::output::{self, columns};
use crate::progress::say;
use crate::survey::Place;

/// Prints the table.
pub(crate) async fn run(shared: &Shared) -> Result<Ending, Failure> {
    let place = Place::of(shared).await?;
    let config = &place.config;
    let now = config.as_of.map_or(Clock::Wall, Clock::Fixed).now();
    let mut why_alone = None;
    let account = if place.region.is_empty() {
        why_alone = Some("no AWS Region is set (--region)".to_owned());
        None
    } else {
        let mut account = place.survey().account(now).await;
        match (&account.offered, &account.profiles) {
            (Err(error), Err(_)) => {
                why_alone = Some(error.reason.clone());
                None
            }
            (Ok(_), _) | (_, Ok(_)) => {
                let ids = listing::ids(Some(&account), &config.models);
                place.survey().read_availability(&mut account, &ids).await;
                Some(account)
            }
        }
    };
    let ids = listing::ids(account.as_ref(), &config.models);
    let rows = listing::rows(&ids, account.as_ref(), &config.models, &day(now));
    if let Some(reason) = &why_alone {
        say(shared.quiet, format_args!("the catalogue alone, no account was read: {reason}"));
    }
    if let Some(account) = &account {
        for note in sre_agent::doctor::models::unread(account) {
            say(shared.quiet, format_args!("note: {}: {}", note.subject, note.reason));
        }
    }
    let printed = if shared.json {
        let document = json!({
            "format": output::FORMAT,
            "region": account.as_ref().map(|account| account.region.clone()),
            "catalogue_alone": why_alone,
            "models": rows,
        });
        format!("{document:#}\n")
    } else {
        as_table(&rows)
    };
    output::to_stdout(printed.as_bytes())?;
    Ok(Ending::Done)
}

fn as_table(rows: &[Row]) -> String {
    let mut lines = vec![
        ["", "model", "access", "tier", "lifecycle", "req/min", "$/M in, out", "ready"]
            .map(str::to_owned)
            .to_vec(),
    ];
    for row in rows {
        let ready = match (row.ready, &row.why) {
            (None, _) => "unknown".to_owned(),
            (Some(true), None) => "yes".to_owned(),
            (Some(true), Some(why)) => format!("yes; {why}"),
            (Some(false), why) => format!("NO: {}", why.as_deref().unwrap_or("see doctor")),
        };
        lines.push(vec![
            row.configured.map(|at| at.to_string()).unwrap_or_default(),
            row.id.clone(),
            row.access.clone(),
            row.tier.to_owned(),
            row.lifecycle.clone(),
            row.requests_per_minute.map_or_else(|| "-".to_owned(), |value| value.to_string()),
            row.price_usd
                .map_or_else(|| "unpriced".to_owned(), |(input, output)| format!("{input:.2}, {output:.2}")),
            ready,
        ]);
    }
    format!(
        "{}\nA number in front: the configured order. Prices: on demand through the us. profile.\n",
        columns(&lines)
    )
}
