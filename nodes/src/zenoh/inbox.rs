//! What came and has not been taken: filled by Zenoh's threads, emptied by the run's.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Wake;

use crate::ros::signal::{Bell, Signal};

/// Keeps the last so many.
pub(super) struct Inbox<T> {
    items: Mutex<VecDeque<T>>,
    depth: usize,
    bell: Arc<Bell>,
}

impl<T> Inbox<T> {
    pub fn new(depth: usize, signal: Arc<Signal>) -> Arc<Self> {
        Arc::new(Inbox {
            items: Mutex::default(),
            depth: depth.max(1),
            bell: Bell::new(signal),
        })
    }

    /// Puts one in; the oldest gives way.
    pub fn put(&self, item: T) {
        let mut items = lock(&self.items);
        if items.len() >= self.depth {
            items.pop_front();
        }
        items.push_back(item);
        drop(items);
        self.ring();
    }

    pub fn take(&self) -> Option<T> {
        lock(&self.items).pop_front()
    }

    /// Whether something may have come since this was asked before.
    pub fn rang(&self) -> bool {
        self.bell.rang()
    }

    pub fn ring(&self) {
        self.bell.clone().wake();
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_are_kept() {
        let inbox = Inbox::new(3, Arc::default());
        assert!(inbox.rang(), "what came before is not known");
        assert!(!inbox.rang());
        for n in 0..5 {
            inbox.put(n);
        }
        assert!(inbox.rang());
        let taken: Vec<_> = std::iter::from_fn(|| inbox.take()).collect();
        assert_eq!(taken, [2, 3, 4]);
    }
}
