//! The rows of the playbook agree with themselves and with what is only looked at.

use std::collections::BTreeSet;

use super::*;

fn rows() -> Vec<Service> {
    toml::from_str::<Rows>(ROWS).unwrap().service
}

/// Names of the holes of a template, by the rule that `{}` is none.
fn holes(template: &str) -> Vec<&str> {
    template
        .split('{')
        .skip(1)
        .map(|rest| rest.split_once('}').expect("a hole is closed").0)
        .filter(|name| !name.is_empty())
        .collect()
}

fn step_holes(step: &StepTemplate) -> Vec<&str> {
    let parts = [Some(&step.text), Some(&step.command), step.link.as_ref(), step.changes.as_ref()];
    parts.into_iter().flatten().flat_map(|part| holes(part)).collect()
}

#[test]
fn every_row_parses_and_is_found_by_its_namespace() {
    let rows = rows();
    assert_eq!(rows.len(), services().count(), "two rows for one namespace");
    for row in &rows {
        assert_eq!(service(&row.namespace), Some(row));
    }
    assert_eq!(service("AWS/Lambda").unwrap().changes, ChangeSource::LambdaFunction);
    assert_eq!(service("AWS/RDS").unwrap().resource_dimension, "DBInstanceIdentifier");
    assert_eq!(service("Custom"), None);
}

#[test]
fn a_companion_is_read_once_and_has_a_title_of_its_own() {
    for row in rows() {
        let mut metrics = BTreeSet::new();
        let mut titles = BTreeSet::new();
        for companion in &row.companions {
            let name = &companion.metric;
            assert!(metrics.insert((name, &companion.statistic)), "{name}");
            assert!(titles.insert(&companion.title), "{name}");
            let plain = ["Sum", "Average", "Minimum", "Maximum", "SampleCount"];
            let percentile = companion.statistic.strip_prefix('p').is_some_and(|p| p.parse::<f64>().is_ok());
            assert!(plain.contains(&companion.statistic.as_str()) || percentile, "{name}");
            // Only of a count is nothing the same as zero.
            assert!(!companion.missing_is_zero || companion.statistic == "Sum", "{name}");
        }
        assert!(row.companions.iter().any(|companion| companion.role == Role::Traffic), "{}", row.namespace);
    }
}

#[test]
fn step_ids_are_unique_over_all_rows() {
    let mut ids = BTreeSet::new();
    for step in rows().into_iter().flat_map(|row| row.next_steps) {
        assert!(ids.insert(step.id.clone()), "{} occurs twice", step.id);
    }
}

#[test]
fn every_hole_is_a_documented_one_and_there_when_the_step_applies() {
    let for_deployments = ["alias", "version", "previous_version"];
    for row in rows() {
        let by_rule = row.log_groups.iter().chain(&row.console).flat_map(|template| holes(template));
        for hole in by_rule {
            assert!(["resource", "region"].contains(&hole), "{}: {hole}", row.namespace);
        }
        for step in &row.next_steps {
            for hole in step_holes(step) {
                assert!(HOLES.iter().any(|(name, _)| *name == hole), "{}: {hole}", step.id);
                let needs = if for_deployments.contains(&hole) {
                    Some(StepCondition::CauseIsDeployment)
                } else if hole == "log_group" {
                    Some(StepCondition::LogsFound)
                } else {
                    None
                };
                assert!(needs.is_none_or(|needs| step.when == needs), "{}: {hole}", step.id);
            }
        }
    }
}

#[test]
fn a_hole_stands_outside_quotation_marks_of_a_command_because_filling_it_quotes_it() {
    for step in rows().into_iter().flat_map(|row| row.next_steps) {
        let mut open: Option<char> = None;
        let mut letters = step.command.chars().peekable();
        while let Some(letter) = letters.next() {
            match (letter, open) {
                ('\'' | '"', None) => open = Some(letter),
                (_, Some(quote)) if letter == quote => open = None,
                ('{', Some(_)) => assert_eq!(letters.peek(), Some(&'}'), "{}: hole within quotes", step.id),
                _ => {}
            }
        }
        assert_eq!(open, None, "{}: open quotation", step.id);
    }
}

#[test]
fn a_step_that_changes_something_names_its_target_and_the_look_before_it() {
    for row in rows() {
        for step in &row.next_steps {
            let Some(changes) = &step.changes else {
                assert_eq!(step.check_first, None, "{}: a look needs no look", step.id);
                continue;
            };
            assert!(changes.contains("{resource}"), "{}", step.id);
            assert!(step.link.is_none(), "{}: the link is for looks", step.id);
            let first =
                step.check_first.as_ref().and_then(|id| row.next_steps.iter().find(|look| &look.id == id));
            let first = first.unwrap_or_else(|| panic!("{}: check_first names no step of the row", step.id));
            assert_eq!(first.changes, None, "{}", step.id);
            assert_eq!(first.when, step.when, "{}: the look applies whenever the change does", step.id);
        }
    }
}

#[test]
fn the_command_of_a_look_only_reads() {
    let reads = ["get-", "list-", "describe-", "filter-"];
    for step in rows().into_iter().flat_map(|row| row.next_steps) {
        for command in step.command.split("aws ").skip(1) {
            let operation = command.split_whitespace().nth(1).unwrap();
            let only_reads = reads.iter().any(|verb| operation.starts_with(verb));
            assert_eq!(only_reads, step.changes.is_none(), "{}: {operation}", step.id);
        }
        assert!(!step.command.is_empty() || step.link.is_some(), "{}: nothing to do", step.id);
    }
}

#[test]
fn the_way_back_of_an_alias_takes_all_weights_off() {
    let lambda = service("AWS/Lambda").unwrap();
    let back = lambda.next_steps.iter().find(|step| step.changes.is_some()).unwrap();
    assert_eq!(
        back.command,
        "aws lambda update-alias --region {region} --function-name {resource} --name {alias} \
         --function-version {previous_version} --routing-config AdditionalVersionWeights={}"
    );
}
