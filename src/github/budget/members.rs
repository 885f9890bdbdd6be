//! Which credential belongs to which bucket.

use std::sync::Arc;

use crate::api::limit::RateHeaders;
use crate::secret::CredentialId;
use crate::time::Timestamp;

use super::bucket::Bucket;
use super::identity::{Class, Identity};
use super::window::Window;
use super::{Account, Ask, BucketId, Budget, Resource};

impl Budget {
    /// A number that no ticket and no bucket has had.
    pub(super) fn fresh(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// The bucket that `ask` is counted by: the one its credential is in, or a guess.
    pub(super) fn member(&mut self, ask: &Ask, now: Timestamp) -> BucketId {
        let key = (ask.credential, ask.resource);
        if let Some(account) = self.accounts.get_mut(&key) {
            account.last_used = now;
            return account.bucket;
        }
        let bucket = self.guess(Class::of(ask.kind), ask.resource, now);
        self.forget_accounts();
        self.accounts.insert(
            key,
            Account {
                bucket,
                rate: None,
                last_used: now,
            },
        );
        bucket
    }

    /// Where to put a credential that has had no answer yet: to the latest of its kind, but never
    /// into a budget that is used up, for its own may be full.
    fn guess(&mut self, class: Class, resource: Resource, now: Timestamp) -> BucketId {
        let exhausted = |bucket: &Bucket| {
            bucket
                .identity
                .as_ref()
                .is_some_and(|identity| identity.exhausted_until(now).is_some())
        };
        let latest = self
            .buckets
            .iter()
            .filter(|(_, bucket)| bucket.class == class && bucket.resource == resource)
            .filter(|(_, bucket)| !exhausted(bucket))
            .max_by_key(|(_, bucket)| (bucket.identity.is_some(), bucket.last_used))
            .map(|(&id, _)| id);
        latest.unwrap_or_else(|| self.open(class, resource, None, now))
    }

    fn open(
        &mut self,
        class: Class,
        resource: Resource,
        identity: Option<Identity>,
        now: Timestamp,
    ) -> BucketId {
        self.forget_buckets();
        let id = BucketId(self.fresh());
        let bucket = Bucket::new(class, resource, identity, &self.config, now);
        self.buckets.insert(id, bucket);
        id
    }

    /// Finds the bucket that `rate` is about, and puts the credential of `ask` there.
    pub(super) fn identify(&mut self, ask: &Ask, rate: &RateHeaders, now: Timestamp) {
        let from = self.member(ask, now);
        let most = self.config.concurrency;
        let fits = |bucket: &Bucket| {
            bucket
                .identity
                .as_ref()
                .is_some_and(|identity| identity.fits(rate, most))
        };
        let Some(current) = self.buckets.get(&from) else {
            return;
        };
        let over = current
            .identity
            .as_ref()
            .is_none_or(|identity| identity.expired(now));
        if rate.reset <= now && current.identity.is_some() {
            // About a period that has ended: an answer that was overtaken by the reset.
            return;
        }
        let other = if fits(current) {
            Some(from)
        } else {
            self.nearest(ask, rate, fits)
        };
        let new = Identity::new(rate, now);
        let to = match other {
            Some(other) => other,
            // The bucket lives on under its new identity: its minute of points still counts.
            None if over => from,
            None => self.open(Class::of(ask.kind), ask.resource, Some(new.clone()), now),
        };
        let Some(bucket) = self.buckets.get_mut(&to) else {
            return;
        };
        match &mut bucket.identity {
            Some(identity) if other.is_some() => identity.update(rate, now),
            identity => *identity = Some(new),
        }
        if to != from {
            self.shift(ask.credential, ask.resource, from, to, now);
        }
        if let Some(bucket) = self.buckets.get(&to) {
            self.woken.extend(bucket.heads());
        }
    }

    /// Of the buckets that `rate` fits, the one with the nearest count.
    fn nearest(
        &self,
        ask: &Ask,
        rate: &RateHeaders,
        fits: impl Fn(&Bucket) -> bool,
    ) -> Option<BucketId> {
        let class = Class::of(ask.kind);
        let apart = |bucket: &Bucket| {
            bucket
                .identity
                .as_ref()
                .map(|it| it.remaining.abs_diff(rate.remaining))
        };
        self.buckets
            .iter()
            .filter(|(_, bucket)| bucket.class == class && bucket.resource == ask.resource)
            .filter(|(_, bucket)| fits(bucket))
            .min_by_key(|(_, bucket)| apart(bucket))
            .map(|(&id, _)| id)
    }

    /// Moves a credential, with what it has spent, what it waits for and what it has on the way.
    fn shift(
        &mut self,
        credential: CredentialId,
        resource: Resource,
        from: BucketId,
        to: BucketId,
        now: Timestamp,
    ) {
        let key = (credential, resource);
        let rate = self.accounts.remove(&key).and_then(|account| account.rate);
        self.accounts.insert(
            key,
            Account {
                bucket: to,
                rate,
                last_used: now,
            },
        );
        let Some(mut old) = self.buckets.remove(&from) else {
            return;
        };
        let Some(new) = self.buckets.get_mut(&to) else {
            return;
        };
        let spent = old.window.take(credential);
        new.wrote(Window::last_write(&spent));
        new.window.put(spent);
        new.last_used = now;
        for (&ticket, issued) in &mut self.issued {
            let ask = issued.ask;
            if issued.bucket != from || (ask.credential, ask.resource) != key {
                continue;
            }
            issued.bucket = to;
            if issued.going {
                old.in_flight -= 1;
                new.in_flight += 1;
            } else {
                old.dequeue(ticket, ask);
                new.enqueue(ticket, ask);
            }
        }
        self.woken.extend(old.heads());
        self.buckets.insert(from, old);
    }

    /// Keeps the headers for the credential itself, unless they are from before its last reset.
    pub(super) fn remember(&mut self, ask: &Ask, rate: &RateHeaders) {
        if let Some(account) = self.accounts.get_mut(&(ask.credential, ask.resource))
            && account
                .rate
                .as_ref()
                .is_none_or(|known| known.reset <= rate.reset)
        {
            account.rate = Some(Arc::new(rate.clone()));
        }
    }

    /// Makes room for one more account.
    fn forget_accounts(&mut self) {
        while self.accounts.len() >= self.config.credentials.max(1) {
            let oldest = self
                .accounts
                .iter()
                .min_by_key(|(_, account)| account.last_used);
            let Some(key) = oldest.map(|(&key, _)| key) else {
                return;
            };
            self.accounts.remove(&key);
        }
    }

    /// Makes room for one more bucket. One that is in use stays: there are no more of these than calls.
    fn forget_buckets(&mut self) {
        while self.buckets.len() >= self.config.buckets.max(1) {
            let idle = self.buckets.iter().filter(|(_, bucket)| bucket.idle());
            let Some(id) = idle.min_by_key(|(_, it)| it.last_used).map(|(&id, _)| id) else {
                return;
            };
            self.buckets.remove(&id);
            self.accounts.retain(|_, account| account.bucket != id);
        }
    }
}
