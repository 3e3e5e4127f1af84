// Package fleet runs agents and displays that know nothing of each other but a NATS server: one in
// this process, whose messages the tests alter and lose, and Debian's as a process that they kill.
package fleet
