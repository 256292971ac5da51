//! The numbers of all rounds, and what is printed of them.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::candidate::Make;
use super::measure::{Figure, Measure, Unit};
use crate::output::{self, out};
use crate::table;

/// All that was measured.
#[derive(Debug, Default)]
pub(super) struct Report {
    rows: Vec<Row>,
    failures: Vec<String>,
}

/// One figure of one measurement, by broker and round.
#[derive(Debug)]
struct Row {
    measure: Measure,
    what: &'static str,
    unit: Unit,
    values: BTreeMap<&'static str, Vec<f64>>,
}

impl Report {
    pub(super) fn add(&mut self, measure: Measure, make: Make, figures: Vec<Figure>) {
        for Figure { what, unit, value } in figures {
            let known = self.rows.iter().position(|row| row.measure == measure && row.what == what);
            let at = known.unwrap_or_else(|| {
                self.rows.push(Row { measure, what, unit, values: BTreeMap::new() });
                self.rows.len() - 1
            });
            self.rows[at].values.entry(make.name()).or_default().push(value);
        }
    }

    pub(super) fn failed(&mut self, measure: Measure, make: Make, why: &str) {
        self.failures.push(format!("{} of {}: {why}", measure.name(), make.name()));
    }

    pub(super) fn print_json(&self) {
        let rows: Vec<Json> = self.rows.iter().map(Row::json).collect();
        output::json(&json!({"rows": rows, "failures": self.failures}));
    }

    /// A table with the median of the rounds.
    pub(super) fn print(&self, makes: &[Make]) {
        let names: Vec<String> = makes.iter().map(|make| make.name().to_uppercase()).collect();
        let mut head = vec!["MEASURED", ""];
        head.extend(names.iter().map(String::as_str));
        let rivals: Vec<Make> =
            makes.iter().copied().filter(|make| *make != Make::Hearth).collect();
        let beside: Vec<String> = rivals.iter().map(|make| format!("/ {}", make.name())).collect();
        head.extend(beside.iter().map(String::as_str));
        let shown = self.rows.iter().filter(|row| row.unit != Unit::Faults || row.any());
        let lines: Vec<Vec<String>> = shown.map(|row| row.cells(makes, &rivals)).collect();
        table::print(&head, &lines);
        for failure in &self.failures {
            out!("failed: {failure}");
        }
    }
}

impl Row {
    fn median(&self, make: Make) -> Option<f64> {
        let mut values = self.values.get(make.name())?.clone();
        values.sort_by(f64::total_cmp);
        let last = values.len().checked_sub(1)?;
        Some(f64::midpoint(values[last / 2], values[values.len() / 2]))
    }

    fn any(&self) -> bool {
        self.values.values().flatten().any(|&value| value > 0.0)
    }

    fn cells(&self, makes: &[Make], rivals: &[Make]) -> Vec<String> {
        let mut cells = vec![self.measure.name(), self.what.to_owned()];
        let missing = || "-".to_owned();
        for &make in makes {
            cells.push(self.median(make).map_or_else(missing, |value| self.unit.write(value)));
        }
        for &rival in rivals {
            let both = self.median(Make::Hearth).zip(self.median(rival));
            let ratio =
                both.filter(|(_, theirs)| *theirs > 0.0).map(|(ours, theirs)| ours / theirs);
            cells.push(ratio.map_or_else(missing, |ratio| format!("{ratio:.2}")));
        }
        cells
    }

    fn json(&self) -> Json {
        json!({
            "measure": self.measure.name(),
            "what": self.what,
            "unit": self.unit.name(),
            "rounds": self.values,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_shows_medians_and_how_they_compare() {
        let mut report = Report::default();
        let figure = |value| vec![Figure { what: "min", unit: Unit::Millis, value }];
        for value in [1.0, 9.0, 2.0] {
            report.add(Measure::Will, Make::Hearth, figure(value));
        }
        report.add(Measure::Will, Make::Mosquitto, figure(4.0));
        let cells = report.rows[0].cells(&Make::ALL, &[Make::Mosquitto, Make::Rumqttd]);
        assert_eq!(cells, ["will", "min", "2.00 ms", "4.00 ms", "-", "0.50", "-"]);
    }
}
