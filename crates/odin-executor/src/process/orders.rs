//! Orders that wait for a spawner, or for the user database.

use std::collections::VecDeque;

use odin_model::Boottime;

/// An order that waits.
pub(super) struct Waiting<T> {
    pub(super) order: T,
    /// Orders are numbered as they came, and go in that order, whoever had to wait for the user database.
    number: u64,
    /// When the user database has had long enough; `None` until it was asked.
    give_up_at: Option<Boottime>,
}

/// Orders in the order in which they came.
pub(super) struct Orders<T> {
    queue: VecDeque<Waiting<T>>,
    /// They wait for the user database.
    parked: Vec<Waiting<T>>,
    /// The number of the latest.
    latest: u64,
}

impl<T> Default for Orders<T> {
    fn default() -> Self {
        Self {
            queue: VecDeque::new(),
            parked: Vec::new(),
            latest: 0,
        }
    }
}

impl<T> Orders<T> {
    pub(super) fn add(&mut self, order: T) {
        self.latest += 1;
        self.queue.push_back(Waiting {
            order,
            number: self.latest,
            give_up_at: None,
        });
    }

    /// The first one that need not wait.
    pub(super) fn next(&mut self) -> Option<Waiting<T>> {
        self.queue.pop_front()
    }

    /// Takes one back that need not wait any longer.
    pub(super) fn put_back(&mut self, waiting: Waiting<T>) {
        let place = self.queue.partition_point(|it| it.number < waiting.number);
        self.queue.insert(place, waiting);
    }

    /// Puts one aside until [`unpark`](Self::unpark), or until `give_up_at` if it was not put aside before.
    pub(super) fn park(&mut self, mut waiting: Waiting<T>, give_up_at: Boottime) {
        waiting.give_up_at.get_or_insert(give_up_at);
        self.parked.push(waiting);
    }

    /// All that were put aside are looked at again.
    pub(super) fn unpark(&mut self) {
        if !self.parked.is_empty() {
            self.queue.extend(self.parked.drain(..));
            self.queue.make_contiguous().sort_by_key(|it| it.number);
        }
    }

    /// Takes those out that were put aside for long enough.
    pub(super) fn give_up(&mut self, now: Boottime) -> Vec<T> {
        let is_late = |it: &mut Waiting<T>| it.give_up_at.is_some_and(|at| at <= now);
        let late = self.parked.extract_if(.., is_late);
        late.map(|it| it.order).collect()
    }

    /// When the first of those that were put aside has waited for long enough.
    pub(super) fn next_give_up(&self) -> Option<Boottime> {
        self.parked.iter().filter_map(|it| it.give_up_at).min()
    }

    /// How many wait for a spawner.
    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    /// How many were put aside.
    pub(super) fn parked(&self) -> usize {
        self.parked.len()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn second(second: u64) -> Boottime {
        Boottime(Duration::from_secs(second))
    }

    fn left(orders: &mut Orders<u32>) -> Vec<u32> {
        std::iter::from_fn(|| orders.next().map(|it| it.order)).collect()
    }

    #[test]
    fn whoever_waited_for_the_user_database_is_not_overtaken() {
        let mut orders = Orders::<u32>::default();
        (0..6).for_each(|order| orders.add(order));
        let mut taken: Vec<_> = (0..4).map(|_| orders.next().unwrap()).collect();
        // Threads come in any order, and one only when the answer is there.
        orders.park(taken.remove(2), second(10));
        orders.park(taken.remove(0), second(10));
        orders.unpark();
        orders.put_back(taken.remove(0));
        assert_eq!((orders.len(), orders.parked()), (5, 0));
        assert_eq!(left(&mut orders), [0, 1, 2, 4, 5]);
    }

    #[test]
    fn one_that_is_put_aside_again_does_not_wait_for_longer() {
        let mut orders = Orders::<u32>::default();
        (0..2).for_each(|order| orders.add(order));
        let first = orders.next().unwrap();
        orders.park(first, second(10));
        orders.unpark();
        let first = orders.next().unwrap();
        orders.park(first, second(15));
        let later = orders.next().unwrap();
        orders.park(later, second(15));
        assert_eq!(orders.next_give_up(), Some(second(10)));
        assert!(orders.give_up(second(9)).is_empty());
        assert_eq!(orders.give_up(second(10)), [0]);
        assert_eq!(
            (orders.next_give_up(), orders.parked()),
            (Some(second(15)), 1)
        );
    }
}
