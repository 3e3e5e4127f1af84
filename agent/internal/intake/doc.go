// Package intake takes reports: what other programs on this machine, and elsewhere over HTTP, say that
// they have seen or done.
//
// What it promises: a report is answered once its event is committed. However often it is repeated, it
// counts once, where it can be told from a new one: a ban that holds is one event ([Bans]), and whatever
// has a key is known by it ([Keys]). Whatever arrives is bounded and checked before anything is made of it,
// and nothing that arrives is sent back.
//
// What it refuses: reports of events that no conforming agent could have seen, whoever has no right to
// report, and everything that is no report. It bans nobody.
package intake
