//! The ratios, their budgets, and whether they hold.

use super::load::median;

/// How strictly budgets are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Check {
    /// They are printed.
    Off,
    /// Twice over a budget fails, or four times where the floor is fickle: what a busy machine can still tell.
    Half,
    /// Over a budget fails.
    Full,
}

/// What a number must be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Budget {
    AtLeast(f64, Floor),
    AtMost(f64, Floor),
    /// It is good to know.
    None,
}

/// What is known of the floor of a ratio.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Floor {
    /// It is the same whenever it is measured.
    Steady,
    /// It depends on which core was asleep, and how deeply: a busy machine is quicker than an idle one.
    Fickle,
}

/// One number of the report, a value for each round.
#[derive(Debug)]
pub(crate) struct Line {
    name: &'static str,
    budget: Budget,
    values: Vec<f64>,
    unit: &'static str,
}

/// How the report is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Columns for a terminal.
    Text,
    /// A table for the README beside this file.
    Markdown,
}

/// Everything that was measured.
#[derive(Debug, Default)]
pub(crate) struct Report {
    lines: Vec<Line>,
}

// === impl Check ===

impl Check {
    /// Reads `BENCH_CHECK`.
    pub(crate) fn read(text: Option<&str>) -> Self {
        match text {
            Some("half") => Self::Half,
            Some("full") => Self::Full,
            _ => Self::Off,
        }
    }

    fn slack(self) -> f64 {
        match self {
            Self::Off => f64::INFINITY,
            Self::Half => 2.0,
            Self::Full => 1.0,
        }
    }
}

// === impl Form ===

impl Form {
    /// Reads `BENCH_FORM`.
    pub(crate) fn read(text: Option<&str>) -> Self {
        if text == Some("markdown") { Self::Markdown } else { Self::Text }
    }

    fn head(self) -> String {
        match self {
            Self::Text => format!(
                "{:<52} {:>10} {:>10} {:>10}  {:<6} {}\n",
                "median of the rounds", "value", "lowest", "highest", "budget", "holds"
            ),
            Self::Markdown => {
                "| median of the rounds | value | lowest | highest | budget | holds |\n\
                               |---|--:|--:|--:|---|---|\n"
                    .to_owned()
            }
        }
    }

    fn row(self, name: &str, unit: &str, values: [f64; 3], budget: &str, holds: &str) -> String {
        let [value, lowest, highest] = values.map(number);
        match self {
            Self::Text => {
                let name = format!("{name} [{unit}]");
                format!("{name:<52} {value:>10} {lowest:>10} {highest:>10}  {budget:<6} {holds}\n")
            }
            Self::Markdown => {
                format!(
                    "| {name} [{unit}] | {value} | {lowest} | {highest} | {budget} | {holds} |\n"
                )
            }
        }
    }
}

// === impl Budget ===

impl Budget {
    fn holds(self, value: f64, slack: f64) -> bool {
        match self {
            Self::AtLeast(least, floor) => value >= least / floor.slack(slack),
            Self::AtMost(most, floor) => value <= most * floor.slack(slack),
            Self::None => true,
        }
    }

    fn text(self) -> String {
        match self {
            Self::AtLeast(least, _) => format!("≥ {least}"),
            Self::AtMost(most, _) => format!("≤ {most}"),
            Self::None => String::new(),
        }
    }
}

// === impl Floor ===

impl Floor {
    fn slack(self, slack: f64) -> f64 {
        match self {
            Self::Steady => slack,
            Self::Fickle => slack * slack,
        }
    }
}

// === impl Report ===

impl Report {
    /// Adds a round's value of a number.
    pub(crate) fn add(
        &mut self,
        name: &'static str,
        unit: &'static str,
        budget: Budget,
        value: f64,
    ) {
        match self.lines.iter_mut().find(|line| line.name == name) {
            Some(line) => line.values.push(value),
            None => self.lines.push(Line { name, budget, values: vec![value], unit }),
        }
    }

    /// The report in this form, and the names of what is too far beyond its budget.
    pub(crate) fn text(&self, check: Check, form: Form) -> (String, Vec<&'static str>) {
        let mut text = form.head();
        let mut failed = Vec::new();
        for Line { name, budget, values, unit } in &self.lines {
            let value = median(values.clone());
            let lowest = values.iter().copied().fold(f64::INFINITY, f64::min);
            let highest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let holds = match budget {
                Budget::None => "",
                budget if budget.holds(value, 1.0) => "yes",
                _ => "NO",
            };
            if !budget.holds(value, check.slack()) {
                failed.push(*name);
            }
            text += &form.row(name, unit, [value, lowest, highest], &budget.text(), holds);
        }
        (text, failed)
    }
}

fn number(value: f64) -> String {
    if value.abs() >= 1000.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}
