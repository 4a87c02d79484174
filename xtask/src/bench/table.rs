//! A table of results, as Markdown.

use std::fmt;

#[derive(Debug)]
pub(super) struct Table {
    title: &'static str,
    how: &'static str,
    columns: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(super) fn new(title: &'static str, how: &'static str, columns: &[&'static str]) -> Self {
        Self { title, how, columns: columns.to_vec(), rows: Vec::new() }
    }

    /// The name of what was measured, and its numbers; one that could not be is in the table too.
    pub(super) fn row(&mut self, name: &str, measured: anyhow::Result<Vec<String>>) {
        let numbers = measured.unwrap_or_else(|error| {
            let mut empty = vec![String::new(); self.columns.len() - 1];
            empty[0] = format!("not run: {}", format!("{error:#}").replace(['\n', '|'], " "));
            empty
        });
        self.rows.push(std::iter::once(name.to_owned()).chain(numbers).collect());
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "## {}\n\n{}\n", self.title, self.how)?;
        writeln!(f, "| {} |", self.columns.join(" | "))?;
        writeln!(f, "|{}", "---|".repeat(self.columns.len()))?;
        for row in &self.rows {
            writeln!(f, "| {} |", row.join(" | "))?;
        }
        Ok(())
    }
}

/// Milliseconds with three digits that count.
pub(super) fn ms(ms: f64) -> String {
    if ms >= 100.0 {
        format!("{ms:.0} ms")
    } else if ms >= 10.0 {
        format!("{ms:.1} ms")
    } else {
        format!("{ms:.2} ms")
    }
}

/// Kibibytes, in the unit that reads best.
pub(super) fn size(kib: f64) -> String {
    if kib >= 1024.0 { format!("{:.1} MiB", kib / 1024.0) } else { format!("{kib:.1} KiB") }
}

/// Of numbers in any order.
pub(super) fn quantile(numbers: &mut [f64], share: f64) -> f64 {
    numbers.sort_unstable_by(f64::total_cmp);
    numbers.get(((numbers.len().max(1) - 1) as f64 * share).round() as usize).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_keeps_what_could_not_be_measured() {
        let mut table = Table::new("Start", "How.", &["program", "ready", "CPU"]);
        table.row("ours", Ok(vec![ms(6.123), ms(123.4)]));
        table.row("theirs", Err(anyhow::anyhow!("not to be had")));
        let expected = "## Start\n\nHow.\n\n| program | ready | CPU |\n|---|---|---|\n\
            | ours | 6.12 ms | 123 ms |\n| theirs | not run: not to be had |  |\n";
        assert_eq!(table.to_string(), expected);
    }

    #[test]
    fn quantiles_are_of_sorted_numbers() {
        let mut numbers = [3.0, 1.0, 2.0];
        assert_eq!([quantile(&mut numbers, 0.5), quantile(&mut numbers, 1.0)], [2.0, 3.0]);
    }
}
