//! Places in the minute, given and learned.

use proptest::prelude::*;

use super::*;

const MINUTE: Duration = Duration::from_mins(1);

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn requests(most: u32) -> Quota {
    Quota { requests: Some(most), tokens: None }
}

fn sent(at: &[u64]) -> Vec<Sent> {
    at.iter().map(|at| Sent { id: 0, at: seconds(*at), tokens: 100 }).collect()
}

#[test]
fn a_request_goes_at_once_or_when_an_earlier_one_is_a_minute_old() {
    let tokens = |most| Quota { requests: None, tokens: Some(most) };
    for (quota, before, now, expected) in [
        (Quota::default(), sent(&[0, 1, 2]), 5, Some(5)),
        (requests(1), sent(&[]), 5, Some(5)),
        (requests(1), sent(&[0]), 5, Some(60)),
        (requests(1), sent(&[0]), 70, Some(70)),
        (requests(2), sent(&[0, 30]), 40, Some(60)),
        (requests(2), sent(&[0, 30]), 95, Some(95)),
        // Behind one that has its place in the future.
        (requests(2), sent(&[0, 30, 60]), 40, Some(90)),
        (tokens(250), sent(&[0, 30]), 40, Some(60)),
        (tokens(150), sent(&[0, 30]), 40, Some(90)),
        (tokens(99), sent(&[]), 40, None),
    ] {
        assert_eq!(
            place(&before, 100, quota, MINUTE, seconds(now)),
            expected.map(seconds),
            "{quota:?} {now}"
        );
    }
}

proptest! {
    #[test]
    fn no_minute_holds_more_than_the_quota_whatever_comes_when(
        most in 1_u32..6, most_tokens in 100_u64..1_000,
        arrivals in proptest::collection::vec((0_u64..40, 1_u64..100), 1..40),
    ) {
        let quota = Quota { requests: Some(most), tokens: Some(most_tokens) };
        let (mut all, mut now): (Vec<Sent>, _) = (Vec::new(), Duration::ZERO);
        for (pause, tokens) in arrivals {
            now += seconds(pause);
            let at = place(&all, tokens, quota, MINUTE, now).unwrap();
            prop_assert!(at >= now);
            all.push(Sent { id: 0, at, tokens });
        }
        for last in &all {
            let within: Vec<&Sent> =
                all.iter().filter(|sent| sent.at <= last.at && sent.at + MINUTE > last.at).collect();
            prop_assert!(within.len() <= usize::try_from(most).unwrap());
            prop_assert!(within.iter().map(|sent| sent.tokens).sum::<u64>() <= most_tokens);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn those_who_ask_first_go_first_and_one_who_goes_away_gives_the_place_up() {
    let pace = Pace::new(requests(1), MINUTE);
    let tickets: Vec<Ticket<'_>> = (0..4).map(|_| pace.queue(100)).collect();
    let waits =
        |tickets: &[Ticket<'_>]| tickets.iter().map(|t| t.wait().unwrap().as_secs()).collect::<Vec<_>>();
    assert_eq!(waits(&tickets), [0, 63, 126, 189]);
    assert_eq!(pace.room(9, 100, seconds(300)), 1);
    assert!(!tickets[1].take());
    assert!(tickets[0].take());
    let mut tickets = tickets;
    tickets.remove(1);
    assert_eq!(waits(&tickets[1..]), [63, 126]);
    tokio::time::advance(seconds(63)).await;
    assert!(tickets[1].take());
    assert!(!tickets[2].take());
}

#[tokio::test(start_paused = true)]
async fn a_refusal_teaches_the_rate_that_was_let_through_and_time_makes_it_forgotten() {
    let pace = Pace::new(Quota::default(), MINUTE);
    let tickets: Vec<Ticket<'_>> = (0..5).map(|_| pace.queue(100)).collect();
    assert!(tickets.iter().all(Ticket::take));
    // Two were let through; the other three are refused one after the other.
    let mut learned = Vec::new();
    for refused in &tickets[2..] {
        refused.refused(Exceeded::Requests);
        learned.push(pace.quota().requests.unwrap());
    }
    assert_eq!(learned, [4, 3, 2]);
    assert_eq!(pace.queue(100).wait(), Some(seconds(63)));
    tokio::time::advance(MINUTE * LEARNED_FOR).await;
    assert_eq!(pace.quota(), Quota::default());
}

#[tokio::test(start_paused = true)]
async fn nothing_is_learned_from_a_refusal_in_a_minute_in_which_nothing_else_was_sent() {
    let pace = Pace::new(Quota::default(), MINUTE);
    let ticket = pace.queue(100);
    assert!(ticket.take());
    ticket.refused(Exceeded::Requests);
    assert_eq!(pace.quota(), Quota::default());
}

#[tokio::test(start_paused = true)]
async fn tokens_count_as_reserved_until_the_answer_tells_how_many_there_were() {
    let pace = Pace::new(Quota { requests: None, tokens: Some(1_000) }, MINUTE);
    let first = pace.queue(900);
    assert!(first.take());
    let second = pace.queue(500);
    assert_eq!(second.wait(), Some(seconds(63)));
    first.settle(400);
    assert_eq!(second.wait(), Some(Duration::ZERO));
    assert!(second.take());
    second.refused(Exceeded::Tokens);
    assert_eq!(pace.quota().tokens, Some(400));
}

#[test]
fn a_profiles_quota_follows_the_model_to_another_geography_and_not_to_the_global_profile() {
    let models = BTreeMap::from([(ModelId::from("us.a.b-v1:0"), requests(2))]);
    let quotas = Quotas { models, ..Quotas::default() };
    for (model, found) in [
        ("us.a.b-v1:0", requests(2)),
        ("eu.a.b-v1:0", requests(2)),
        ("global.a.b-v1:0", Quota::default()),
        ("a.b-v1:0", Quota::default()),
        ("eu.a.c-v1:0", Quota::default()),
    ] {
        assert_eq!(quotas.of(&ModelId::from(model)), found, "{model}");
    }
}

#[test]
fn a_quota_of_the_bare_model_holds_for_its_profiles_and_a_profiles_own_goes_first() {
    let models = [("anthropic.claude-sonnet-4-6", 5), ("eu.anthropic.claude-sonnet-4-6", 2)];
    let models = models.map(|(id, most)| (ModelId::from(id), requests(most)));
    let quotas = Quotas { models: BTreeMap::from(models), ..Quotas::default() };
    for (id, expected) in [
        ("us.anthropic.claude-sonnet-4-6", requests(5)),
        ("eu.anthropic.claude-sonnet-4-6", requests(2)),
        ("us.amazon.nova-pro-v1:0", Quota::default()),
    ] {
        assert_eq!(quotas.of(&ModelId::from(id)), expected, "{id}");
    }
}
