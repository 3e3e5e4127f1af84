// Package notices tests that notices arrive: a real display tells of what a real agent reads in a
// log, by real mail servers, and by stand-ins for the services that nobody can run at home.
package notices
