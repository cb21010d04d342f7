//! Things under small numbers, which are used again.

/// A number for each thing. A number outlives its thing: whoever holds an old one finds nothing, or
/// somebody else.
#[derive(Debug)]
pub(super) struct Places<T> {
    taken: Vec<Option<T>>,
    free: Vec<u32>,
}

impl<T> Default for Places<T> {
    fn default() -> Self {
        Places { taken: Vec::new(), free: Vec::new() }
    }
}

impl<T> Places<T> {
    /// A number for a thing that is told its number when it is made.
    pub(super) fn reserve(&mut self) -> u32 {
        self.free.pop().unwrap_or_else(|| {
            self.taken.push(None);
            // A thing has a socket or belongs to one, and a process has fewer of those by far.
            self.taken.len() as u32 - 1
        })
    }

    /// Puts a thing at the number that was reserved for it.
    pub(super) fn put(&mut self, key: u32, thing: T) {
        self.taken[key as usize] = Some(thing);
    }

    pub(super) fn get(&mut self, key: u32) -> Option<&mut T> {
        self.taken.get_mut(key as usize)?.as_mut()
    }

    /// Gives the number back, and what was there.
    pub(super) fn release(&mut self, key: u32) -> Option<T> {
        let thing = self.taken.get_mut(key as usize)?.take()?;
        self.free.push(key);
        Some(thing)
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = u32> {
        let taken = self.taken.iter().enumerate();
        taken.filter(|(_, thing)| thing.is_some()).map(|(at, _)| at as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_used_again_once_it_is_given_back() {
        let mut places = Places::default();
        let (first, second) = (places.reserve(), places.reserve());
        places.put(first, "a");
        places.put(second, "b");
        assert_eq!(places.get(second), Some(&mut "b"));
        assert_eq!(places.release(first), Some("a"));
        assert_eq!(places.get(first), None);
        assert_eq!(places.release(first), None);
        assert_eq!(places.reserve(), first);
        assert_eq!(places.keys().collect::<Vec<_>>(), [second]);
    }
}
