//! Parts that are taken one after the other, though each is delivered beside the others: what one has of their whole it hands to the next.

use protocol::Place;
use tokio::sync::oneshot;

/// The whole of which parts arrive on a lane, by its name, and where the next part is handed what there is of it.
#[derive(Debug)]
pub(super) struct Chain<N, T>(Option<(N, oneshot::Receiver<T>)>);

/// A part's place in the chain.
#[derive(Debug)]
pub(super) struct Link<T> {
    /// Where the part before it hands over; `None` for the first.
    pub(super) before: Option<oneshot::Receiver<T>>,
    /// Where the part after it takes over; `None` for the last.
    pub(super) after: Option<oneshot::Sender<T>>,
}

impl<N, T> Default for Chain<N, T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<N: Clone + PartialEq, T> Chain<N, T> {
    /// Chains a part of this whole to the one before it; `None` when that never came.
    pub(super) fn link(&mut self, name: &N, place: &Place) -> Option<Link<T>> {
        let arriving = self.0.take().filter(|(arriving, _)| arriving == name);
        let before = match (place.part, arriving) {
            (0, _) => None,
            (_, arriving) => Some(arriving?.1),
        };
        let after = (!place.is_last_part).then(|| {
            let (after, before) = oneshot::channel();
            self.0 = Some((name.clone(), before));
            after
        });
        Some(Link { before, after })
    }
}
