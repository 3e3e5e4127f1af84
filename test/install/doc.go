// Package install holds tests of the packages: installed, paired, upgraded and removed in a fresh
// Debian root that systemd boots in namespaces of its own, and run on other processors under QEMU.
//
// They need root, namespaces, and a Debian mirror the first time; without, they fail and say what
// is missing. The root is kept in the user's cache folder (pialert/) between runs; removing it
// there lets the next run make a fresh one.
package install
