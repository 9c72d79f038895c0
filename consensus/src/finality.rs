//! Delivering final values in order, and catching up (rules R-CONS-9, R-CONS-14).

use cross_shard_msg::View;

use crate::certificate::{Certificate, FinalizationCertificate, Finalized};
use crate::chain::Reach;
use crate::committee::Verifier;
use crate::interface::{Dropped, Output};
use crate::recover::Record;
use crate::simplex::Simplex;
use crate::value::Value;
use crate::vote::Kind;

impl<V: Value> Simplex<V> {
    /// Delivers what is final and at hand. Lower views go first, so that a value that has its own
    /// certificate comes with it.
    pub(crate) fn deliver(&mut self, outputs: &mut Vec<Output<V>>) {
        while let Some(certificate) = self.pending_finalization().cloned() {
            let Reach::Held { .. } = self.chain.reach(certificate.digest) else { return };
            let values = self.chain.run(certificate.digest);
            let Some(certificate) = FinalizationCertificate::new(certificate) else { return };
            self.extend(Finalized { values, certificate }, outputs);
        }
    }

    /// The lowest finalization that is not delivered.
    pub(crate) fn pending_finalization(&self) -> Option<&Certificate> {
        self.rounds.values().find_map(|round| round.certificate(Kind::Finalize))
    }

    /// Takes runs that another validator serves, as far as they follow the tip.
    pub(crate) fn receive_finalized(
        &mut self,
        keys: &impl Verifier,
        runs: Vec<Finalized<V>>,
        outputs: &mut Vec<Output<V>>,
    ) -> Result<(), Dropped> {
        for mut run in runs {
            let tip = self.chain.tip();
            // The runs of others are cut elsewhere than one's own.
            run.values.retain(|value| value.number() > tip.number);
            let Some(first) = run.values.first() else { continue };
            if first.parent() != tip.digest || run.certificate.view() <= tip.view {
                return Err(Dropped::Unlinked);
            }
            if run.verify(keys, (tip.digest, tip.number)).is_err() {
                return Err(Dropped::Unverified);
            }
            self.fetch.progress = true;
            self.extend(run, outputs);
        }
        Ok(())
    }

    /// Moves the tip.
    fn extend(&mut self, run: Finalized<V>, outputs: &mut Vec<Output<V>>) {
        assert!(!run.values.is_empty(), "the tip is not finalized twice");
        self.chain.advance(&run);
        self.prune();
        self.persist(Record::Finalized(run.clone()), outputs);
        outputs.push(Output::Finalized(run));
    }

    /// Forgets views up to the tip's, and values that only they knew.
    pub(crate) fn prune(&mut self) {
        let tip: View = self.chain.tip().view;
        self.rounds = self.rounds.split_off(&tip.next());
        let proposed = |round: &crate::view::Round| round.proposal.as_ref().map(|p| p.vote.digest);
        let needed: Vec<_> = self
            .rounds
            .values()
            .flat_map(|round| proposed(round).into_iter().chain(round.notarized()))
            .collect();
        self.chain.prune(needed.into_iter());
    }
}
