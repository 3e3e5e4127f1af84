// Package e2e tests both programs from end to end: as real processes, paired over real
// connections, reading what real daemons log while real clients attack them.
//
// The tests need root and Debian's packages; without them they fail and say what to install.
package e2e
