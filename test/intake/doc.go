// Package intake holds tests of what other programs and machines tell the agent: fail2ban by its action,
// syslog by real senders, HTTP clients.
package intake
