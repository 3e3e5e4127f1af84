// Package respond tests responses from end to end: a line in a log, and the packets of who is in it
// stop, in a network namespace of its own.
package respond
