//! The protocols of a connection: the admission, and those of the inner behaviour when it is there.

use futures_util::future::{BoxFuture, FutureExt as _};
use libp2p::core::UpgradeInfo;
use libp2p::core::upgrade::{InboundUpgrade, OutboundUpgrade};
use libp2p::swarm::handler::{InboundUpgradeSend, OutboundUpgradeSend, UpgradeInfoSend};
use libp2p::swarm::{Stream, StreamProtocol};

use crate::swarm::wire::ADMISSION;

/// What a stream is for.
#[derive(Debug, Clone)]
pub enum Either<A, I> {
    /// The admission.
    Admission(A),
    /// What the inner behaviour makes of it.
    Inner(I),
}

/// The name of a protocol.
#[derive(Debug, Clone)]
pub enum Name<I> {
    /// The admission.
    Admission(StreamProtocol),
    /// One of the inner behaviour.
    Inner(I),
}

impl<I: AsRef<str>> AsRef<str> for Name<I> {
    fn as_ref(&self) -> &str {
        match self {
            Self::Admission(name) => name.as_ref(),
            Self::Inner(name) => name.as_ref(),
        }
    }
}

/// What others may open: the admission, and whatever the inner behaviour accepts once it is there.
#[derive(Debug)]
pub struct Inbound<U>(pub(super) Option<U>);

impl<U: UpgradeInfoSend> UpgradeInfo for Inbound<U> {
    type Info = Name<U::Info>;
    type InfoIter = std::vec::IntoIter<Self::Info>;

    fn protocol_info(&self) -> Self::InfoIter {
        let inner = self.0.iter().flat_map(UpgradeInfoSend::protocol_info);
        // A stranger could tell by its absence that an admission is going on, and identify would push each change.
        let admission = Name::Admission(StreamProtocol::new(ADMISSION));
        let names: Vec<_> = std::iter::once(admission)
            .chain(inner.map(Name::Inner))
            .collect();
        names.into_iter()
    }
}

impl<U: InboundUpgradeSend> InboundUpgrade<Stream> for Inbound<U> {
    type Output = Either<Stream, U::Output>;
    type Error = U::Error;
    type Future = BoxFuture<'static, Result<Self::Output, Self::Error>>;

    fn upgrade_inbound(self, stream: Stream, name: Self::Info) -> Self::Future {
        match (name, self.0) {
            (Name::Inner(name), Some(inner)) => inner
                .upgrade_inbound(stream, name)
                .map(|output| output.map(Either::Inner))
                .boxed(),
            (Name::Admission(_) | Name::Inner(_), _) => {
                std::future::ready(Ok(Either::Admission(stream))).boxed()
            }
        }
    }
}

/// What we open.
#[derive(Debug)]
pub enum Outbound<U> {
    /// The admission.
    Admission,
    /// What the inner behaviour opens.
    Inner(U),
}

impl<U: UpgradeInfoSend> UpgradeInfo for Outbound<U> {
    type Info = Name<U::Info>;
    type InfoIter = std::vec::IntoIter<Self::Info>;

    fn protocol_info(&self) -> Self::InfoIter {
        let names: Vec<_> = match self {
            Self::Admission => vec![Name::Admission(StreamProtocol::new(ADMISSION))],
            Self::Inner(inner) => inner.protocol_info().map(Name::Inner).collect(),
        };
        names.into_iter()
    }
}

impl<U: OutboundUpgradeSend> OutboundUpgrade<Stream> for Outbound<U> {
    type Output = Either<Stream, U::Output>;
    type Error = U::Error;
    type Future = BoxFuture<'static, Result<Self::Output, Self::Error>>;

    fn upgrade_outbound(self, stream: Stream, name: Self::Info) -> Self::Future {
        match (self, name) {
            (Self::Inner(inner), Name::Inner(name)) => inner
                .upgrade_outbound(stream, name)
                .map(|output| output.map(Either::Inner))
                .boxed(),
            (Self::Admission | Self::Inner(_), _) => {
                std::future::ready(Ok(Either::Admission(stream))).boxed()
            }
        }
    }
}
