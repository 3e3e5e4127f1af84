// Package detect turns lines of logs into attack events.
//
// An [Engine] is fed the lines of any number of logs, each a [Source]. For every line it cuts the
// syslog header once, finds the rules of the daemon that the header's tag names, tries those whose
// literal prefix the message has, and joins what the matching rule says with what earlier lines of
// the same connection said. What it finds out it hands to [Options.Emit].
//
// # What it promises
//
// One attempt is one event (or one more in an event's count), however many lines a daemon, PAM
// and the disconnect write about it, at the first line that proves it. An address is only ever
// taken from the position where the daemon writes it. No input panics; fields stay in the bounds
// of [attack.Event]; memory is bounded and what is evicted is counted. A line that is no attack
// allocates nothing. Events depend on the lines and their times alone: an engine that was
// restored from what [Engine.Changes] saved gives the same events as one that was never stopped.
//
// # What it refuses
//
// It opens no file but those with rules, knows no network, and bans nobody. It trusts no name to
// join lines by: daemons escape and cut the same name differently from line to line.
//
// # Rules
//
// Rules are data, see [Rule]. The built-in ones are rules/*.yaml; a user's rules have the same
// form. A rule's role says what a line that it matches means for the connection that the line
// belongs to; join.go is the one place that gives roles their meaning.
//
// An Engine and its Sources belong to one goroutine. [Rules] is immutable and may be shared.
package detect
