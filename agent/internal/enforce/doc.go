// Package enforce stands between policy, which decides who is to be banned, and the responder, which
// bans: it hands decisions over, looks after what becomes of them, and tells of it by events.
//
// What it does depends on the mode. Off, it looks at nothing. Observing, it decides and logs what it
// would have done. Enforcing, it hands over; whoever sets that while he is logged in from another
// machine may have locked himself out, so it then begins with a trial, which ends by itself unless he
// confirms.
//
// # What it promises
//
//   - A decision waits until the responder has taken it or refused it, also over a restart: what is
//     remembered changes in the same commit as the events that it rests on.
//   - One event reports a ban when it begins and one when it ends, whoever decided it and
//     whatever ends it.
//   - Whoever must not be banned any more is let in again: who has logged in since, whom the allow list
//     now names, and after a trial that nobody confirmed all that were decided here.
//   - A backend of the responder's that keeps failing is reported once an hour, by an event.
//
// # What it refuses
//
// It bans nobody itself, and asks the responder for nothing again that it refused. Of more decisions
// than it keeps room for, and of more than ten a minute that it would only log, it forgets the rest and
// counts them; a source that goes on is decided about anew.
package enforce
