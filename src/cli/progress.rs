//! Progress of long work: a bar on stderr, where somebody watches who wants to see it.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::context::Context;
use crate::verify;

/// A bar of that form, or none that anybody sees.
pub(super) fn bar(context: &Context, form: &str) -> ProgressBar {
    let target = if context.shows_progress() {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    };
    let style = ProgressStyle::with_template(form);
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::with_draw_target(Some(0), target).with_style(style)
}

/// How many documents are looked at, how fast, and how long it takes still; gone when dropped.
pub(super) struct Documents(ProgressBar);

impl Documents {
    pub(super) fn new(context: &Context, all: u64) -> Self {
        let bar = bar(context, "{bar:24} {pos}/{len} documents {per_sec} {eta}");
        bar.set_length(all);
        Self(bar)
    }

    pub(super) fn one_more(&self) {
        self.0.inc(1);
    }
}

impl Drop for Documents {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// How many events are judged; gone when dropped.
pub(super) struct Events(ProgressBar);

impl Events {
    pub(super) fn new(context: &Context) -> Self {
        Self(bar(context, "{bar:24} {pos}/{len} events {per_sec} {eta}"))
    }
}

impl verify::Observer for Events {
    fn progress(&mut self, done: u64, total: Option<u64>) {
        if let Some(total) = total {
            self.0.set_length(total);
        }
        self.0.set_position(done);
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
