//! What several commands tell people in the same words: what is done step by step, what is lost, which way documents went, and
//! what was left out. Knows words and no command.

use std::io::{self, Write};

use super::terminal::{Paint, one_line};
use super::words::count;
use crate::migrate::account::LossyEntry;
use crate::migrate::documents::{Aside, Named, Way};
use crate::migrate::{Amounts, LossSummary, PlannedStep, in_words, lost, summed};
use crate::target::sqlite::Transactions;

/// Says what is done to a database, step by step.
pub(super) fn write_steps(steps: &[PlannedStep], out: &mut dyn Write) -> io::Result<()> {
    steps.iter().try_for_each(|step| {
        let statements = count(step.statements, "statement");
        let pages = count(step.pages_changed, "page");
        let (edge, script) = (one_line(&step.edge), one_line(&step.script));
        writeln!(out, "  {edge}  {script}: {statements}, {pages} changed")?;
        match step.transactions {
            Transactions::One => {}
            Transactions::Several => writeln!(out, "    not all in one transaction")?,
            Transactions::Script => writeln!(out, "    in transactions of its own")?,
        }
        write_settings_left_out(&step.left_out, out)
    })
}

/// Names settings of the file that scripts ask for and that stay as they are.
pub(super) fn write_settings_left_out(left_out: &[String], out: &mut dyn Write) -> io::Result<()> {
    left_out.iter().try_for_each(|asked| {
        writeln!(out, "    PRAGMA {} is left out: the file keeps what it has", one_line(asked))
    })
}

/// Says what of a database is lost.
pub(super) fn write_loss(loss: &LossSummary, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
    if lost(loss) == 0 {
        writeln!(out, "  loses nothing")?;
    } else {
        let lost = Amounts::of(loss);
        writeln!(out, "  {}", paint.warning(format_args!("loses {lost}")))?;
    }
    write_each_loss(loss, out)
}

/// What is lost, by table and column.
pub(super) fn write_each_loss(loss: &LossSummary, out: &mut dyn Write) -> io::Result<()> {
    loss.iter()
        .try_for_each(|(name, lost)| writeln!(out, "    {}", one_line(&in_words(name, lost))))
}

/// Says behind `label` how much was lost, and lists `lossy`, the first of it: documents value by value, of a database what each
/// table lost.
pub(super) fn write_lost(
    label: &str,
    total: u64,
    lossy: &[LossyEntry],
    out: &mut dyn Write,
) -> io::Result<()> {
    let loss = summed(lossy.iter().map(|entry| &entry.what)).filter(|loss| !loss.is_empty());
    if let Some(loss) = loss {
        writeln!(out, "  {label}{}", Amounts::of(&loss))?;
        write_each_loss(&loss, out)?;
        return match total.saturating_sub(lost(&loss)) {
            0 => Ok(()),
            more => {
                writeln!(out, "    and {more} more, of steps that `migration report --lossy` lists")
            }
        };
    }
    writeln!(out, "  {label}{}", Amounts::values(total))?;
    lossy.iter().try_for_each(|LossyEntry { object, what }| {
        let path = what.get("path").and_then(serde_json::Value::as_str);
        let what = match (path, what.get("value")) {
            (Some(path), Some(value)) => format!("{path} = {value}"),
            _ => what.to_string(),
        };
        writeln!(out, "    {}: {}", one_line(object), one_line(&what))
    })?;
    match total.saturating_sub(lossy.len() as u64) {
        more if more > 0 && !lossy.is_empty() => {
            writeln!(out, "    and {more} more; `migration report` lists them")
        }
        _ => Ok(()),
    }
}

/// Says how many documents went which way.
pub(super) fn write_ways(ways: &[Way], out: &mut dyn Write) -> io::Result<()> {
    ways.iter().try_for_each(|Way { kind, contract_version, from, to, documents }| {
        let way = if from == to { format!("normalise {from}") } else { format!("{from} -> {to}") };
        let documents = count(*documents, "document");
        writeln!(
            out,
            "  {} {}  {}: {documents}",
            one_line(kind),
            one_line(contract_version),
            one_line(&way)
        )
    })
}

/// The same for a list of them.
pub(super) fn write_all_left_out(
    documents: &[String],
    out: &mut dyn Write,
    paint: Paint,
) -> io::Result<()> {
    for id in documents.iter().take(LEFT_OUT_SHOWN_MAX) {
        writeln!(out, "  {}: {}", paint.warning("left out"), one_line(id))?;
    }
    match documents.len().saturating_sub(LEFT_OUT_SHOWN_MAX) {
        0 => Ok(()),
        more => writeln!(out, "  {}: {more} more", paint.warning("left out")),
    }
}

/// Names documents that were left out because somebody said so.
pub(super) fn write_documents_left_out(left_out: &[String], out: &mut dyn Write) -> io::Result<()> {
    for id in left_out.iter().take(LEFT_OUT_SHOWN_MAX) {
        writeln!(out, "  left out     {}", one_line(id))?;
    }
    match left_out.len().saturating_sub(LEFT_OUT_SHOWN_MAX) {
        0 => Ok(()),
        more => writeln!(out, "  left out     {more} more; the plan has them all"),
    }
}

/// Documents left out that are shown to people; a screen of them.
const LEFT_OUT_SHOWN_MAX: usize = 20;

/// Says what of a tree was not looked into, and which documents have further names.
pub(super) fn write_aside(aside: &Aside, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
    let mut say = |what: &str, which: &Named| {
        if which.total == 0 {
            return Ok(());
        }
        let ids: Vec<String> = which.ids.iter().take(ASIDE_MAX).map(|id| one_line(id)).collect();
        let more = match which.total.saturating_sub(ids.len() as u64) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        writeln!(out, "  {}: {}{more}", paint.warning(what), ids.join(", "))
    };
    say("not looked into", &aside.skipped)?;
    say("not looked into, a link", &aside.links)?;
    say("hard-linked, and its other names keep what they hold", &aside.hard_linked)
}

/// Most names on one line of what was left aside.
const ASIDE_MAX: usize = 10;
