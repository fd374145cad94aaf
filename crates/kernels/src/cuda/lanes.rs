//! Lanes: streams that part from one another, run beside each other, and meet again.
//!
//! Everything goes to lane 0. Where it parts, lane 1 runs beside it, and from each of these a further one may part once more,
//! 2 beside 0 and 3 beside 1. The host gives the lane beside all of its work before the other goes on, so who drops memory
//! last, and whether a lane may still use it, is known (see [`Cuda::kept_until`]).

use super::Cuda;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// As many as there are when each has parted.
pub(crate) const LANES: usize = 4;

/// Which lane gets what comes next, and what it parted from.
#[derive(Default)]
pub(super) struct Lanes(Mutex<State>);

#[derive(Default)]
struct State {
    current: usize,
    /// From the outermost on.
    partings: Vec<Parting>,
    /// How often lanes parted so far.
    count: u64,
}

struct Parting {
    /// The lane that was parted from, and the one beside it.
    lanes: [usize; 2],
    /// How often lanes had parted, this one included.
    number: u64,
}

impl Lanes {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Cuda {
    /// Gives what `work` launches to a lane beside this one, which goes on until the [`Meeting`] is dropped: neither may use what
    /// the other writes. What comes after that sees both. An upload, a read-back or waiting inside is an error.
    pub(crate) fn aside<A>(&self, work: impl FnOnce() -> A) -> (A, Meeting) {
        let (lanes, number) = {
            let mut state = self.inner.lanes.state();
            let depth = state.partings.len();
            assert!(1 << depth < LANES, "lanes part twice at most");
            state.count += 1;
            let (lanes, number) = ([state.current, state.current + (1 << depth)], state.count);
            state.partings.push(Parting { lanes, number });
            (lanes, number)
        };
        self.inner.deferred.begin();
        self.remember(self.inner.runtime.part(lanes[0], lanes[1]));
        // Also where a closure panics: work that never met could not be captured, nor waited for.
        let meeting = Meeting { cuda: self.clone(), lanes, number };
        self.set_lane(lanes[1]);
        let found = work();
        self.set_lane(lanes[0]);
        (found, meeting)
    }

    fn set_lane(&self, lane: usize) {
        self.inner.lanes.state().current = lane;
        self.inner.runtime.set_lane(lane);
    }

    /// Whether there are several lanes now.
    pub(crate) fn parted(&self) -> bool {
        self.open_partings() > 0
    }

    /// How many partings have not met.
    pub(crate) fn open_partings(&self) -> usize {
        self.inner.lanes.state().partings.len()
    }

    /// How often lanes parted so far.
    pub(crate) fn partings(&self) -> u64 {
        self.inner.lanes.state().count
    }

    /// The lane that gets what comes next.
    pub(crate) fn lane(&self) -> usize {
        self.inner.lanes.state().current
    }

    /// Whether another lane may still use a block of memory that is dropped now, which `owner` was handed when lanes had parted
    /// `handed_out` times: then the number of partings that may be open when it is handed out again, at most.
    ///
    /// What a side of a parting was handed within it, the other side does not know. Of what there was before, the lane beside,
    /// given its work first, drops the last only where the other will not use it. All else has to wait until they meet.
    pub(crate) fn kept_until(&self, owner: usize, handed_out: u64) -> Option<usize> {
        let state = self.inner.lanes.state();
        state.partings.iter().enumerate().position(|(depth, parting)| {
            let sides = (2 << depth) - 1; // the bits of a lane that say on which side of each parting it is
            let own = owner & sides == state.current & sides;
            !own || (handed_out < parting.number && state.current & sides != parting.lanes[1] & sides)
        })
    }
}

/// Where what [`Device::aside`](crate::Device::aside) parted meets again, on drop: the last to part first.
#[must_use = "lanes meet when it is dropped"]
pub struct Meeting {
    cuda: Cuda,
    lanes: [usize; 2],
    number: u64,
}

impl Drop for Meeting {
    fn drop(&mut self) {
        let [from, lane] = self.lanes;
        self.cuda.set_lane(from);
        let last = self.cuda.inner.lanes.state().partings.pop();
        debug_assert!(last.is_some_and(|last| last.number == self.number), "the last to part meet first");
        self.cuda.remember(self.cuda.inner.runtime.meet(from, lane));
        self.cuda.free_deferred();
    }
}
