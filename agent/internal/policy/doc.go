// Package policy decides who is to be banned: events go in, decisions come out.
//
// An attempt counts against the address that it came from, or the /64 of an IPv6 address. Each kind
// says how many attempts are too many; a source that reaches that within the span is banned, longer
// each time that it comes back. Where enough neighbours are banned, their network is.
//
// # What it promises
//
//   - Nobody is banned whom [Never] exempts, nor who has logged in from there lately, nor for an
//     event without an address.
//   - A decision says what it rests on: which kind, how many attempts, when the first and the last.
//   - It depends on the events and their times alone, and can be saved and restored as it changes.
//   - Memory is bounded: of too many sources those are forgotten that were quiet for longest.
//
// # What it refuses
//
// It bans nobody: whoever takes its decisions does, and trusts none of them. It reads no clock, no
// file and no network. A Policy belongs to one goroutine.
package policy
