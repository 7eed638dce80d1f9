/**
 * Set-up of the mutation run: a mutant is killed by the first counterexample, and the time that shrinking it takes is
 * paid once per mutant.
 */
import fc from 'fast-check';

fc.configureGlobal({ endOnFailure: true });
