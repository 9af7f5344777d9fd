//! Figures: quantiles of many samples, and a table of many runs.

/// The value below which this share of the samples lies (the nearest one); `NaN` without samples.
pub(crate) fn quantile(samples: &[f64], share: f64) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = (share * sorted.len().saturating_sub(1) as f64).round();
    // A share of a length: never negative, and far below what a float holds exactly.
    sorted.get(at as usize).copied().unwrap_or(f64::NAN)
}

/// A line for each figure: its name, and a value of each run.
#[derive(Debug, Default)]
pub(crate) struct Table(Vec<(&'static str, Vec<f64>)>);

impl Table {
    /// Adds a run's value of a figure.
    pub(crate) fn add(&mut self, name: &'static str, value: f64) {
        match self.0.iter_mut().find(|(of, _)| *of == name) {
            Some((_, values)) => values.push(value),
            None => self.0.push((name, vec![value])),
        }
    }

    /// Prints the figures.
    pub(crate) fn print(&self, runs: &str) {
        println!(
            "{runs:<42} {:>4} {:>9} {:>9} {:>9} {:>9}",
            "n", "min", "median", "p95", "max"
        );
        for (name, values) in &self.0 {
            let [least, median, p95, most] =
                [0.0, 0.5, 0.95, 1.0].map(|share| quantile(values, share));
            let count = values.len();
            println!("{name:<42} {count:>4} {least:>9.2} {median:>9.2} {p95:>9.2} {most:>9.2}");
        }
    }
}
