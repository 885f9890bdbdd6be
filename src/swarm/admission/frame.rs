//! The frames of an admission, as bytes and as values.

use minicbor::Decoder;
use minicbor::bytes::ByteArray;

/// The longest frame. The longest that we send has 70 bytes or so; what is more is an attempt to make us wait.
pub const FRAME_MAX: usize = 1024;

/// 32 random bytes that are never used again.
pub type Nonce = [u8; 32];

/// One frame: a CBOR array (RFC 8949) whose first element says which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frame {
    /// `[0, code]`: no, and why.
    Refuse {
        /// [`Reason::code`](super::Reason::code).
        code: u32,
    },
    /// `[1, methods, nonce, pool]`: the dialer's.
    Hello {
        /// What it can prove with, as a set of bits ([`Method::bit`](super::Method::bit)).
        methods: u32,
        /// The dialer's.
        nonce: Nonce,
        /// The first half of HMAC-SHA-256 of the pool's tag under the nonce: whoever does not know the name cannot
        /// recognise the pool elsewhere.
        pool: [u8; 16],
    },
    /// `[2, method, nonce, cost]`: the listener's.
    Challenge {
        /// What the dialer is to prove with ([`Method::number`](super::Method::number)).
        method: u32,
        /// The listener's.
        nonce: Nonce,
        /// Rounds of PBKDF2 that the listener's key cost; 0 for a ticket.
        cost: u32,
    },
    /// `[3, expires, mac]`: the dialer's.
    Proof {
        /// When the ticket runs out, in seconds since the Unix epoch; 0 for a secret.
        expires: u64,
        /// [`Transcript::mac`](super::Transcript::mac).
        mac: [u8; 32],
    },
    /// `[4, mac]`: the listener's.
    Welcome {
        /// [`Transcript::mac`](super::Transcript::mac).
        mac: [u8; 32],
    },
    /// `[5]`: the dialer's.
    Ready,
}

/// Why some bytes are no frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAFrame {
    /// They are no CBOR, not the array that the frame's type has, not in the shortest form, or more than that.
    #[error("malformed")]
    Malformed,
    /// No frame of this version has such a type.
    #[error("a frame of unknown type {0}")]
    Type(u32),
}

impl Frame {
    /// As it travels, without its length.
    pub fn encode(&self) -> Vec<u8> {
        let encoded = match *self {
            Self::Refuse { code } => minicbor::to_vec((0_u8, code)),
            Self::Hello {
                methods,
                nonce,
                pool,
            } => minicbor::to_vec((1_u8, methods, ByteArray::from(nonce), ByteArray::from(pool))),
            Self::Challenge {
                method,
                nonce,
                cost,
            } => minicbor::to_vec((2_u8, method, ByteArray::from(nonce), cost)),
            Self::Proof { expires, mac } => minicbor::to_vec((3_u8, expires, ByteArray::from(mac))),
            Self::Welcome { mac } => minicbor::to_vec((4_u8, ByteArray::from(mac))),
            Self::Ready => minicbor::to_vec([5_u8]),
        };
        // Writing to memory does not fail; an empty frame would be refused by everybody.
        encoded.unwrap_or_default()
    }

    /// Reads all of `bytes`, which are those of one frame without its length. A value has one form only: whatever
    /// would be written differently by [`Frame::encode`] is malformed.
    pub fn decode(bytes: &[u8]) -> Result<Self, NotAFrame> {
        if bytes.len() > FRAME_MAX {
            return Err(NotAFrame::Malformed);
        }
        let frame = Self::read(bytes)?;
        if frame.encode() == bytes {
            Ok(frame)
        } else {
            Err(NotAFrame::Malformed)
        }
    }

    fn read(bytes: &[u8]) -> Result<Self, NotAFrame> {
        let mut head = Decoder::new(bytes);
        head.array().map_err(malformed)?;
        match head.u32().map_err(malformed)? {
            0 => {
                let (_, code): (u32, u32) = minicbor::decode(bytes).map_err(malformed)?;
                Ok(Self::Refuse { code })
            }
            1 => {
                let (_, methods, nonce, pool): (u32, u32, ByteArray<32>, ByteArray<16>) =
                    minicbor::decode(bytes).map_err(malformed)?;
                Ok(Self::Hello {
                    methods,
                    nonce: nonce.into(),
                    pool: pool.into(),
                })
            }
            2 => {
                let (_, method, nonce, cost): (u32, u32, ByteArray<32>, u32) =
                    minicbor::decode(bytes).map_err(malformed)?;
                Ok(Self::Challenge {
                    method,
                    nonce: nonce.into(),
                    cost,
                })
            }
            3 => {
                let (_, expires, mac): (u32, u64, ByteArray<32>) =
                    minicbor::decode(bytes).map_err(malformed)?;
                Ok(Self::Proof {
                    expires,
                    mac: mac.into(),
                })
            }
            4 => {
                let (_, mac): (u32, ByteArray<32>) = minicbor::decode(bytes).map_err(malformed)?;
                Ok(Self::Welcome { mac: mac.into() })
            }
            5 => Ok(Self::Ready),
            other => Err(NotAFrame::Type(other)),
        }
    }
}

/// How many bytes follow such a length.
pub fn length(prefix: [u8; 2]) -> Result<usize, NotAFrame> {
    match usize::from(u16::from_be_bytes(prefix)) {
        length @ 1..=FRAME_MAX => Ok(length),
        _ => Err(NotAFrame::Malformed),
    }
}

/// `frame` behind its length.
pub fn with_length(frame: &[u8]) -> Vec<u8> {
    let length = u16::try_from(frame.len()).unwrap_or(u16::MAX);
    [&length.to_be_bytes(), frame].concat()
}

fn malformed(_: minicbor::decode::Error) -> NotAFrame {
    NotAFrame::Malformed
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_frame() -> impl Strategy<Value = Frame> {
        prop_oneof![
            any::<u32>().prop_map(|code| Frame::Refuse { code }),
            any::<(u32, Nonce, [u8; 16])>().prop_map(|(methods, nonce, pool)| Frame::Hello {
                methods,
                nonce,
                pool
            }),
            any::<(u32, Nonce, u32)>().prop_map(|(method, nonce, cost)| Frame::Challenge {
                method,
                nonce,
                cost
            }),
            any::<(u64, [u8; 32])>().prop_map(|(expires, mac)| Frame::Proof { expires, mac }),
            any::<[u8; 32]>().prop_map(|mac| Frame::Welcome { mac }),
            Just(Frame::Ready),
        ]
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(frame in any_frame()) {
            prop_assert_eq!(Frame::decode(&frame.encode()), Ok(frame));
        }

        #[test]
        fn nothing_panics_and_everything_has_one_form(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(frame) = Frame::decode(&bytes) {
                prop_assert_eq!(frame.encode(), bytes);
            }
        }

        #[test]
        fn no_other_length_is_that_frame(frame in any_frame(), cut in 0_usize..100, more in any::<u8>()) {
            let whole = frame.encode();
            prop_assert!(Frame::decode(&whole[..cut.min(whole.len() - 1)]).is_err());
            prop_assert!(Frame::decode(&[&whole[..], &[more]].concat()).is_err());
        }
    }

    #[test]
    fn lengths_are_bounded() {
        assert_eq!(length([0, 1]), Ok(1));
        assert_eq!(length([4, 0]), Ok(FRAME_MAX));
        assert!(length([0, 0]).is_err() && length([4, 1]).is_err() && length([255, 255]).is_err());
    }
}
