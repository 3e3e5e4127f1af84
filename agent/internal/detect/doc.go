// Package detect turns lines of logs into attack events.
//
// A line goes two steps. A [Matcher] finds out what it says by itself: it cuts the header, finds the
// rules of the daemon that the header's tag names, tries those whose literal prefix the message has,
// and reads the fields. That needs no memory, so it runs on any number of cores, and gives a [Batch].
// An [Engine] joins batches in the order of their lines: with what earlier lines of the same
// connection said (package connection), with what a server's other log has, and with other events
// of one story (package episode). What it finds out it hands to [Options.Emit]. [Engine.Feed] is
// both steps on one core.
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
// Rules are data, see [rule.Rule]. The built-in ones come with package rule; a user's rules have the same
// form. A rule's role says what a line that it matches means for the connection that the line
// belongs to; package connection is the one place that gives roles their meaning.
//
// An Engine belongs to one goroutine, and so does each Matcher. A [Source] may be matched by several
// at once and is joined by one. A [rule.Set] is immutable and may be shared.
package detect
