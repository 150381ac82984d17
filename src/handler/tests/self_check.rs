//! The look at itself: what is news is told once, and so is what is mended.

use super::*;
use crate::doctor::{Check, Examination, Level, Part};

fn examination(usable: &[&str], wrong: &[(&str, Level)]) -> Examination {
    let check = |(subject, level): &(&str, Level)| Check {
        level: *level,
        subject: (*subject).to_owned(),
        reason: "in 59 days".to_owned(),
        fix: Some("Mend it.".to_owned()),
    };
    let checks = wrong.iter().map(check).collect();
    Examination {
        usable: usable.iter().map(|model| ModelId::from(*model)).collect(),
        parts: vec![Part { heading: "Models".to_owned(), checks }],
    }
}

#[tokio::test(start_paused = true)]
async fn what_changed_is_told_once_and_what_is_mended_as_well() {
    let shelf = shelf(Duration::ZERO);
    let services = services(Honest::but_silent_for(&[]), Arc::clone(&shelf));
    let look = async |examination: Examination| {
        self_check(&examination, Deadline::after(LAMBDA_TIME), &services).await["posted"].clone()
    };
    let warned = [("sonnet", Level::Warning)];
    assert_eq!(
        look(examination(&["haiku"], &warned)).await,
        Value::Null,
        "the first look compares with nothing"
    );
    assert_eq!(look(examination(&["haiku"], &warned)).await, Value::Null, "nothing changed");
    let worse = [("sonnet", Level::Bad), ("logs:FilterLogEvents", Level::Warning), ("note", Level::Note)];
    assert_eq!(look(examination(&["haiku"], &worse)).await, json!(1));
    assert_eq!(look(examination(&["haiku"], &worse)).await, Value::Null);
    // Less bad is no news; gone is.
    assert_eq!(look(examination(&["haiku"], &warned)).await, json!(1));
    let cards: Vec<String> =
        shelf.documents.lock().unwrap().iter().map(|document| terminal::render(document, false)).collect();
    assert!(
        cards[0].contains("sonnet: in 59 days -> Mend it.") && cards[0].contains("logs:FilterLogEvents"),
        "{}",
        cards[0]
    );
    assert!(!cards[0].contains("note:"), "{}", cards[0]);
    assert!(cards[1].contains("MENDED") && cards[1].contains("logs:FilterLogEvents"), "{}", cards[1]);
    assert_eq!(cards.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn that_no_model_can_be_called_is_told_at_the_first_look() {
    let shelf = shelf(Duration::ZERO);
    let services = services(Honest::but_silent_for(&[]), Arc::clone(&shelf));
    let nothing = examination(&[], &[("sonnet", Level::Bad)]);
    let answer = self_check(&nothing, Deadline::after(LAMBDA_TIME), &services).await;
    assert_eq!(answer["posted"], json!(1));
    let card = terminal::render(&shelf.documents.lock().unwrap()[0], false);
    assert!(card.contains("No configured model is usable"), "{card}");
}
