//! Which call fails, and how. Calls are counted by kind, so that every one of an undisturbed run can be
//! made to fail in turn.

use std::collections::BTreeSet;

use rustix::io::Errno;

use crate::content::PAGE_BYTES;
use crate::disk::{Disk, Ino};

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Call {
    /// `fsync` and `fdatasync`, of files and folders.
    Sync,
    /// `write`, `copy_file_range`, `ftruncate`.
    Write,
    /// `read` of what was neither read nor written before.
    Read,
    /// Making, naming and removing files and folders, and changing their attributes.
    Name,
    /// Each of them that changes something: all but [`Call::Read`].
    Change,
}

impl Call {
    /// Every kind there is.
    pub const ALL: [Self; 5] = [Self::Sync, Self::Write, Self::Read, Self::Name, Self::Change];

    /// Its name.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Sync => "sync",
            Self::Write => "write",
            Self::Read => "read",
            Self::Name => "name",
            Self::Change => "change",
        }
    }
}

/// How a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// `EIO`, this once. A failed sync loses what it should have made durable.
    Broken,
    /// `ENOSPC`, this once.
    FullOnce,
    /// `ENOSPC`, and for everything that needs space from then on.
    Full,
    /// Half of the bytes are written, and the call says so.
    Short,
    /// The power goes: this call and everything after it is `EIO`, and nothing of it happens.
    Cut,
}

impl Effect {
    /// Every effect there is.
    pub const ALL: [Self; 5] = [Self::Broken, Self::FullOnce, Self::Full, Self::Short, Self::Cut];

    /// Its name.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Broken => "broken",
            Self::FullOnce => "full-once",
            Self::Full => "full",
            Self::Short => "short",
            Self::Cut => "cut",
        }
    }
}

/// One fault: the `nth` call of a kind, counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// The kind.
    pub call: Call,
    /// Which of them.
    pub nth: u64,
    /// What happens then.
    pub effect: Effect,
}

/// How many calls of each kind there were.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts([u64; Call::ALL.len()]);

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0.map(|count| count.to_string()).join(" "))
    }
}

impl Counts {
    /// From what [`Counts::to_string`] wrote, number by number.
    pub(crate) fn of_calls(counts: impl Iterator<Item = u64>) -> Self {
        let mut of_calls = Self::default();
        of_calls.0.iter_mut().zip(counts).for_each(|(held, count)| *held = count);
        of_calls
    }

    /// Calls of that kind.
    pub fn of(&self, call: Call) -> u64 {
        self.0.get(call as usize).copied().unwrap_or_default()
    }

    /// Counts one, and says how many there were before.
    fn add(&mut self, call: Call) -> u64 {
        let Some(count) = self.0.get_mut(call as usize) else { return 0 };
        *count += 1;
        *count - 1
    }
}

/// A disk with a fault in it.
#[derive(Debug)]
pub(crate) struct Faulty {
    pub(crate) disk: Disk,
    pub(crate) counts: Counts,
    fault: Option<Fault>,
    /// What the fault met.
    pub(crate) met: Option<String>,
    full: bool,
    down: bool,
    /// Pages read or written since the disk was put in its place. The kernel has them in memory, and
    /// reading them again asks no disk.
    warm: BTreeSet<(Ino, u64)>,
}

/// How much of an admitted write happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admitted {
    Whole,
    Half,
}

impl Faulty {
    pub(crate) const fn new(disk: Disk, fault: Option<Fault>) -> Self {
        let counts = Counts([0; Call::ALL.len()]);
        Self { disk, counts, fault, met: None, full: false, down: false, warm: BTreeSet::new() }
    }

    /// From here on nothing fails any more, but where the power went.
    pub(crate) const fn lift(&mut self) {
        self.fault = None;
        self.full = false;
    }

    pub(crate) const fn is_full(&self) -> bool {
        self.full
    }

    /// Refuses whatever comes after the power went.
    pub(crate) fn powered(&self, ino: Ino) -> Result<(), Errno> {
        if self.down && !self.is_aside(ino) { Err(Errno::IO) } else { Ok(()) }
    }

    /// Counts a call about `ino`, and fails it if it is the one.
    pub(crate) fn admit(&mut self, call: Call, ino: Ino, what: &str) -> Result<Admitted, Errno> {
        if self.is_aside(ino) {
            return Ok(Admitted::Whole);
        }
        self.powered(ino)?;
        let nth = self.counts.add(call);
        let change = (call != Call::Read).then(|| self.counts.add(Call::Change));
        let is_the_one = |fault: &Fault| {
            (fault.call, fault.nth) == (call, nth)
                || change.is_some_and(|nth| (fault.call, fault.nth) == (Call::Change, nth))
        };
        let Some(fault) = self.fault.filter(is_the_one) else { return Ok(Admitted::Whole) };
        let label = self.disk.node(ino).map(|node| node.label.as_str()).unwrap_or_default();
        self.met = Some(format!("{what} {label}"));
        match fault.effect {
            Effect::Broken => {
                if call == Call::Sync {
                    self.disk.refuse_sync(ino);
                }
                Err(Errno::IO)
            }
            Effect::FullOnce => Err(Errno::NOSPC),
            Effect::Full => {
                self.full = true;
                Err(Errno::NOSPC)
            }
            Effect::Short => Ok(Admitted::Half),
            Effect::Cut => {
                self.down = true;
                Err(Errno::IO)
            }
        }
    }

    /// Whether the kernel would have all of it in memory; from now on it has.
    pub(crate) fn warms(&mut self, ino: Ino, offset: u64, count: usize) -> bool {
        let page = PAGE_BYTES as u64;
        let pages = offset / page..offset.saturating_add(count as u64).div_ceil(page);
        let cold = pages.filter(|page| self.warm.insert((ino, *page)));
        cold.count() == 0
    }

    /// It was not read after all.
    pub(crate) fn cool(&mut self, ino: Ino, offset: u64, count: usize) {
        let page = PAGE_BYTES as u64;
        let pages = offset / page..offset.saturating_add(count as u64).div_ceil(page);
        pages.for_each(|page| _ = self.warm.remove(&(ino, page)));
    }

    /// Refuses what needs space while there is none.
    pub(crate) fn spacious(&self, needs_space: bool) -> Result<(), Errno> {
        if self.full && needs_space { Err(Errno::NOSPC) } else { Ok(()) }
    }

    fn is_aside(&self, ino: Ino) -> bool {
        self.disk.node(ino).is_ok_and(|node| node.aside)
    }
}
